"""The texts that tokenizers are trained on and tried with: own sentences in several scripts, code, digits, emoji."""

import random

from vectors_common import seed_of

SENTENCES = [
    "The heron stood in the shallow water and waited for the evening light to fade.",
    "She'll say they're late, but I've seen the clock and we aren't; it's only ten past nine.",
    "We'd better count the boxes again: there were 48 in the morning and 37 after lunch.",
    "HE'S SURE THAT THEY'LL WIN, AND YOU'VE HEARD WHY WE DON'T AGREE.",
    "How many apples are left when 12 children take 3 apples each from a basket of 50?",
    "A small engine turns quickly; a large engine turns slowly, and both turn all night.",
    "Der Müller trägt zwölf schwere Säcke über die Brücke, während es draußen schneit.",
    "Größere Vögel können weit über das Meer fliegen, ohne müde zu werden.",
    "L'été dernier, nous avons mangé des crêpes près du vieux château, où il faisait très chaud.",
    "El niño pequeño corrió detrás del perro mientras la señora leía el periódico en el jardín.",
    "A avó fez pão e café para três irmãos que não tinham dormido nada.",
    "Старый мост через реку закрыли утром, и все пошли пешком по другому берегу.",
    "Дети считают звёзды, а бабушка рассказывает им длинную сказку про медведя.",
    "Η θάλασσα ήταν ήρεμη και οι ψαράδες γύρισαν νωρίς στο λιμάνι.",
    "今天早上我们在河边看见三只白鹭，它们静静地站在水里。",
    "老师问学生：如果一本书卖二十五元，四本书一共多少钱？",
    "昨日の夜、駅の前で友だちを待っていたら、急に雨が降り出しました。",
    "ラーメンとコーヒーを注文して、カタカナのメニューを読みました。",
    "아침에 시장에서 사과 세 개와 배 두 개를 샀습니다.",
    "خرج الأولاد إلى الحديقة بعد الدرس ولعبوا بالكرة حتى المساء.",
    "הילדה כתבה מכתב ארוך לסבתא שלה ושלחה אותו בדואר.",
    "बच्चे नदी के किनारे खेल रहे हैं और माँ उन्हें देख रही है।",
    "แม่ซื้อผลไม้ที่ตลาดตอนเช้าแล้วเดินกลับบ้านกับลูก",
    "Mỗi buổi sáng ông tôi uống trà và đọc báo dưới gốc cây đa.",
    "Gökyüzü bulutlu, ama ırmağın kıyısında ılık bir rüzgâr esiyor.",
    "def total(prices, tax=0.07):\n    return sum(price * (1 + tax) for price in prices)\n",
    "for (int i = 0; i < count; ++i) {\n\tsum += values[i] * weights[i];\n}\n",
    "SELECT name, count(*) FROM birds WHERE weight >= 250 GROUP BY name;",
    "https://example.org/path/to/page?id=1234&lang=en#part-2",
    "{\"kind\": \"lamp\", \"watts\": 60, \"on\": true, \"tags\": [\"old\", \"brass\"]}",
    "On 2024-02-29 at 23:59:58 the price was $1,234.50, that is 12.5% more than 1,097.33.",
    "Party 🎉🎉 at eight, bring cake 🍰 and a friend 👩‍🚀 or two 👨‍👩‍👧!",
    "# Title\n\n- first item\n- second item\n\n> a quoted line\n\n```\ncode\n```\n",
]

SUBJECTS = ["the baker", "a teacher", "her brother", "the old captain", "my neighbour", "every student"]
VERBS = ["counts", "sells", "carries", "paints", "forgets", "repairs"]
THINGS = ["apples", "lanterns", "wooden boats", "tickets", "letters", "small engines"]


def corpus():
    """Sentences, then the same words in new order, so that a few hundred merges are worth learning."""
    chance = random.Random(seed_of("corpus"))
    lines = list(SENTENCES)
    for _ in range(400):
        count = chance.choice([chance.randrange(10), chance.randrange(100), chance.randrange(1000)])
        lines.append(f"{chance.choice(SUBJECTS)} {chance.choice(VERBS)} {count} {chance.choice(THINGS)}.")
        words = chance.choice(SENTENCES).split(" ")
        chance.shuffle(words)
        lines.append(" ".join(words))
    return lines


FIXED = [
    "",
    " ",
    "  ",
    "\n",
    "\n\n\n",
    "\t",
    "a",
    "Hello, world!",
    " leading space",
    "trailing space ",
    "trailing spaces   ",
    "trailing newline\n",
    "trailing mix \n \n\t ",
    "two  spaces   three    four",
    "I'll we'll they'd you're I'm it's don't we've",
    "I'LL WE'LL THEY'D YOU'RE I'M IT'S DON'T WE'VE",
    "He'S she'Ll We'rE 'tis 'twas ''s 'ſ it’s don’t",
    "'s't're've'm'll'd",
    " 's 't 're",
    "0 1 12 123 1234 12345 123456 1234567",
    "3.14159 1,000,000 1e-5 0x1F 50% $9.99 №7",
    "x1y22z333 4th 5G a1b2",
    "٠١٢٣٤ ५६७ ๑๒๓ ⅷ ½ ² ³⁴ Ⅻ ㊷",
    "(a+b)*c == d[0]?!... --> <-- ;:,.",
    "!!! ??? ... --- ___ *** ### @@@",
    "snake_case CamelCase kebab-case SCREAMING_CASE",
    "今天我们在河边看见三只白鹭。",
    "中文English混合123数字",
    "昨日の夜、ラーメンを食べました。ｶﾀｶﾅ",
    "아침에 사과 세 개를 샀습니다.",
    "\u1112\u1161\u11ab\u1100\u1173\u11af decomposed hangul",
    "خرج الأولاد إلى الحديقة",
    "مُحَمَّدٌ ﷺ لَا إِلَٰهَ",
    "בְּרֵאשִׁית בָּרָא",
    "बच्चे नदी के किनारे क्षत्रिय र्‍क",
    "แม่ซื้อผลไม้ที่ตลาด น้ำ",
    "ၐမြန်မာ ខ្មែរ ລາວ தமிழ் తెలుగు",
    "Старый мост ЁЖ ёж",
    "ΕΛΛΗΝΙΚΆ ελληνικά ς σ",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u00c5ngstr\u00f6m",
    "cafe\u0301 nai\u0308ve re\u0301sume\u0301 A\u030angstro\u0308m",
    "\u212b \u2126 \ufb01 \u1e9b\u0323 \u0344 \u0958",
    "a\u0323\u0307 a\u0307\u0323 \u0301leading mark",
    "\u1ea1\u0302\u0303 q\u0307\u0323 d\u0323\u0307",
    "Z\u0351\u036b\u0343\u036a\u0302a\u0318\u0347l\u034cg\u033bo\u0321",
    "🎉", "🎉🎉🎉", "👩‍🚀 👨‍👩‍👧‍👦 🏳️‍🌈",
    "👍🏻👍🏿 ✌🏽 🤷🏾‍♀️",
    "🇫🇷🇯🇵🇧🇷 🇺 1️⃣ #️⃣ ☎︎ ☎️",
    "text🎉text 🎉 text",
    "nul\x00inside \x00 \x00\x00",
    "\x00",
    "line\r\nline\r\n\r\nend\r\n",
    "cr\rcr\r\rend\r",
    "tab\there\t\ttwo\t",
    "\t\tindented\n    by four\n        by eight",
    "a \n b  \n\n c\n \n",
    " \n", "\n ", "  \n  ", "\n\n  x", "x  \n\n", "x\n\n\n\ny",
    "no\u00a0break \u00a0 \u00a0\u00a0x\u00a0",
    "ideographic\u3000space\u3000\u3000 \u3000x\u3000",
    "next\u0085line \u0085\u0085x\u0085",
    "zero\u200bwidth \u200b x \u200c\u200d\u2060\ufeff",
    "mongolian\u180evowel \u180e x",
    "sep\u001ca\u001db\u001ec\u001fd \u001c \u001f",
    "\u000bvertical\u000cfeed \u000b\u000c x",
    "line\u2028sep\u2029para \u2028\n\u2029",
    "\u1680ogham \u2000en\u2001em\u2007fig\u2009thin\u200ahair\u202fnn\u205fmm",
    "soft\u00adhyphen rtl\u200f\u202eover\u202c",
    "\ufffd \ufffe \uffff \U0010ffff \ue000 \U000e0041",
    "𝕏 𝒜𝓑 𐍈 𓀀 𠜎 𠮷",
    "▁ ▁▁ a▁b ▁a \u2581",
    "Ġ Ċ ĠĠ Ġa",
    "<0x0A> <0xE2> <unk> <s> </s> <pad>",
    "<|endoftext|> <|im_start|>user\nhi<|im_end|>\n",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
    "[INST] hi [/INST] there</s>[INST]x[/INST]",
    "<|endoftext|", "|endoftext|>", "<|endoftext|><|endoftext|>", "a<|endoftext|>b",
    "<s>a</s> <s> b </s>",
    "<think>\nwait\n</think>\n\nanswer",
    "antidisestablishmentarianism" * 3,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "=" * 70,
    " " * 40,
    "\n" * 20 + " " * 17,
    "def f(x):\n    return x ** 2  # square\n\n\nprint(f(3))\n",
    "for (int i = 0; i < n; ++i) {\n\tsum += v[i];\n}\n",
    "{\"a\": [1, 2.5, null], \"b\": \"\\n\"}",
    "https://example.org/path?id=1234&x=%20#top",
    "user@example.org +44 20 7946 0018",
    "The heron stood in the shallow water and waited.",
    "Größere Vögel können weit über das Meer fliegen.",
    "needle in a haystack, needles and haystacks; a needle",
    "'sx 'Sx 'ſx 'tx 'Tx 'llx 'LLx 'lLx 'rex 'REx 'vex 'mx 'dx it'ſ it'S",
    "a'sx a'Sx a'ſx a'tx a'Tx a'llx a'LLx a'lLx a'rex a'REx a'rEx a'vex a'VEx a'mx a'Mx a'dx a'Dx a's1 a'S1",
    "a1 1a a1a 12a a12 _a a_ a_1 1_ 1 2 12 !1 1!",
    "!\n!\r\n!\n\n; \n;\n ;\n\n  x;\na",
    "x \n y\n \nz \r\n\r\n w",
] + [
    f"!{c}! a{c}{c} b 1{c}2 {c} {c}{c}! {c}a  {c}  x{c}"
    for c in "\u0085\u00a0\u3000\u180e\u200b\u2028\u001c\u001f\u000b\r\t\n\u0301\u20dd\u00b2\u200d"
]

ALPHABETS = [
    "ab c",
    "the heron's 12 ",
    "aA1'sStTlLvVdDrReEmM ",
    " \t\n\r",
    " \n\u00a0\u3000\u0085x",
    "a \u200b\u200d\u180e\u001c\u001f\u2028",
    "é\u0301e\u0323\u0307a\u030aaN\u0303n ",
    "0123456789٣५.,-",
    "中文日本語かなカナ한국어 ,。",
    "ابتثج\u064e\u0651 \u200f12",
    "क\u094dष\u093eर\u0902 \u200d",
    "ก\u0e49ำ\u0e34น ",
    "🎉👍\U0001f3fb\u200d♀\ufe0f🇫🇷 ",
    "<>|_/[]INSTsim_endu",
    "▁Ġa \x00\x7f\u0080",
    "{}();=+*/\\\"'`~!?#$%^& \n\t",
]


def texts(name, own=()):
    """At least 150 texts: the fixed ones, the tokenizer's own, random strings over every alphabet."""
    chance = random.Random(seed_of(f"texts/{name}"))
    found = list(FIXED) + list(own)
    for alphabet in ALPHABETS:
        for length in (3, 7, 15, 30):
            found.append("".join(chance.choice(alphabet) for _ in range(chance.randint(1, length))))
    every = "".join(ALPHABETS)
    found += ["".join(chance.choice(every) for _ in range(25)) for _ in range(10)]
    return list(dict.fromkeys(found))
