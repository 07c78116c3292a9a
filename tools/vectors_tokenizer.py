"""tests/data/tokenizer/<name>/: small tokenizers, one of each kind, and what HF `tokenizers` makes of many texts.

The pipelines (regular expressions, normalizers, decoders) are those of the published tokenizer.json files of the kinds
named below, stated as facts; vocabularies and merges are trained here on our own sentences.
"""

import json

from vectors_common import write_json, write_jsonl
from vectors_text import corpus, texts

GPT2_REGEX = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3_REGEX = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_REGEX = LLAMA3_REGEX.replace(r"\p{N}{1,3}", r"\p{N}")
SPACE = "▁"


def added(token, special=True, **flags):
    defaults = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": not special}
    return {"content": token, **defaults, **flags, "special": special}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def byte_level(use_regex, prefix=False, trim=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": use_regex}


def sequence(key, *parts):
    return {"type": "Sequence", key: list(parts)}


def begin_with(token, ident):
    """TemplateProcessing that puts one token before a text."""
    text = lambda name, kind: {"Sequence": {"id": name, "type_id": kind}}
    special = lambda kind: {"SpecialToken": {"id": token, "type_id": kind}}
    return {
        "type": "TemplateProcessing",
        "single": [special(0), text("A", 0)],
        "pair": [special(0), text("A", 0), special(1), text("B", 1)],
        "special_tokens": {token: {"id": token, "ids": [ident], "tokens": [token]}},
    }


def metaspace(scheme, cut):
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": cut}


def replace(pattern, content):
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


SENTENCEPIECE_DECODER = sequence(
    "decoders",
    replace(SPACE, " "),
    {"type": "ByteFallback"},
    {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
)
SENTENCEPIECE_SPECIALS = [added("<unk>"), added("<s>"), added("</s>")]
BYTE_DECODER = byte_level(True)


def kinds():
    llama3_specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>"]
    llama3_specials += ["<|eom_id|>", "<|eot_id|>", "<|python_tag|>"]
    qwen_specials = [added(t) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    qwen_plain = [added(t, special=False, normalized=False) for t in ("<think>", "</think>", "<tool_call>")]
    cjk = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
    return {
        "gpt2": dict(
            pre_tokenizer=byte_level(True),
            post_processor=byte_level(True, trim=False),
            decoder=BYTE_DECODER,
            added=[added("<|endoftext|>")],
            old_merges=True,
        ),
        "llama3": dict(
            pre_tokenizer=sequence("pretokenizers", split(LLAMA3_REGEX), byte_level(False)),
            begin="<|begin_of_text|>",
            decoder=BYTE_DECODER,
            added=[added(token) for token in llama3_specials],
            ignore_merges=True,
            unmerged=["Ġneedle", "Ġhaystack", "Ġshallow", "needles", "Ġ\u00c3\u00a9t\u00c3\u00a9"],
        ),
        "qwen2": dict(
            normalizer={"type": "NFC"},
            pre_tokenizer=sequence("pretokenizers", split(QWEN2_REGEX), byte_level(False, trim=False)),
            post_processor=byte_level(False, trim=False),
            decoder=byte_level(False, trim=False),
            added=qwen_specials + qwen_plain,
        ),
        "digits": dict(
            pre_tokenizer=sequence(
                "pretokenizers", split(r"\p{N}"), split(cjk), split(QWEN2_REGEX), byte_level(False)
            ),
            begin="<|bos|>",
            decoder=BYTE_DECODER,
            added=[added(t) for t in ("<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")],
        ),
        "split-behaviors": dict(
            pre_tokenizer=sequence(
                "pretokenizers",
                split(" ", "MergedWithPrevious", kind="String"),
                split(r"\n+", "MergedWithNext"),
                split(r"\p{N}", "Contiguous"),
                split(r"[^\t]+", "Removed", invert=True),
                byte_level(False),
            ),
            decoder=BYTE_DECODER,
            added=[added("<|endoftext|>")],
        ),
        "llama2": dict(
            normalizer=sequence("normalizers", {"type": "Prepend", "prepend": SPACE}, replace(" ", SPACE)),
            begin="<s>",
            decoder=SENTENCEPIECE_DECODER,
            added=SENTENCEPIECE_SPECIALS + [added("[PAD]", special=False, normalized=True), added("<mark>")],
            byte_fallback=True,
            fuse_unk=True,
        ),
        "mistral": dict(
            pre_tokenizer=metaspace("first", cut=False),
            begin="<s>",
            decoder=SENTENCEPIECE_DECODER,
            added=SENTENCEPIECE_SPECIALS + [added("[INST]"), added("[/INST]")],
            byte_fallback=True,
            fuse_unk=True,
        ),
        "metaspace-always": dict(
            pre_tokenizer=metaspace("always", cut=True),
            begin="<s>",
            decoder=metaspace("always", cut=True),
            added=SENTENCEPIECE_SPECIALS + [added("<sep>", special=False)],
            byte_fallback=True,
            byte_tokens=0xF0,  # characters of four bytes have none and are <unk>
            fuse_unk=True,
        ),
        "metaspace-never": dict(
            pre_tokenizer=metaspace("never", cut=True),
            decoder=metaspace("never", cut=True),
            added=SENTENCEPIECE_SPECIALS,
            byte_fallback=False,
            fuse_unk=False,
        ),
        "tekken": dict(
            pre_tokenizer=sequence("pretokenizers", split(LLAMA3_REGEX.replace("{1,3}", "")), byte_level(False)),
            begin="<s>",
            decoder=BYTE_DECODER,
            added=SENTENCEPIECE_SPECIALS + [added("[INST]"), added("[/INST]")],
            ignore_merges=True,
        ),
        "added": dict(
            normalizer={"type": "NFC"},
            pre_tokenizer=byte_level(True),
            decoder=BYTE_DECODER,
            added=ADDED_TOKENS,
            own_texts=ADDED_TEXTS,
        ),
    }


ADDED_TOKENS = [
    added("<|endoftext|>"),
    added("<left>", lstrip=True),
    added("<right>", rstrip=True),
    added("<both>", lstrip=True, rstrip=True),
    added("<word>", single_word=True),
    added("needle", special=False, single_word=True),
    added("caf\u00e9", special=False, normalized=True),
    added("na\u00efve", special=False, normalized=False),
    added("A\u030a", special=False, normalized=True),
    added("o\u0308", special=False, normalized=False),
    added("<a>", special=False),
    added("<a><b>", special=False),
    added("<a><b><c>"),
    added("<plain>", special=False, normalized=False, lstrip=True),
    added("half", special=False, single_word=True, lstrip=True, rstrip=True),
]
ADDED_TEXTS = [
    "x <left> y", "x  \n\t<left>y", "<left>", "  <left>", "x<left>  y", "\u00a0\u3000<left>x", "x\u200b<left>",
    "x <right> y", "x<right>  \n\ty", "<right>", "<right>  ", "<right>\u00a0\u3000x", "<right>\u180ex",
    "x <both> y", "x  <both>  y", "<both>", "  <both>  ", "<both><both>", "<both> <both>", "<left> <right> <both>",
    "<right> <left>", "<right>   <left>", "x \u0085<both>\u001c y",
    "<word>", "a<word>", "<word>a", "a <word> b", "_<word>_", "(<word>)", "1<word>", "<word>\u00e9", "<word>中",
    "<word><word>", "<word>\u0301", "<word>-<word>",
    "needle", "needles", "a needle", "needle's", "needle_", "needle1", "(needle)", "haystackneedle", "needle needle",
    "中needle中", "needle\u0301", "needle🎉", "\u200dneedle\u200d",
    "caf\u00e9", "cafe\u0301", "caf\u00e9s", "un caf\u00e9 et un cafe\u0301", "CAF\u00c9",
    "na\u00efve", "nai\u0308ve", "na\u00efvely nai\u0308vely", "\u00c5", "A\u030a", "\u212b", "xA\u030ay",
    "o\u0308", "\u00f6", "xo\u0308x\u00f6",
    "<a>", "<a><b>", "<a><b><c>", "<a><b><a>", "<a><a><b><c><c>", "<a><b", "<<a>>", "<a><b>\n<c>",
    "x <plain> y", "<plain>  <plain>", "half", " half ", "x half y", "halfway half", "half half", "\u00bd half",
    "<|endoftext|> <left>x<right> y<|endoftext|>", "<|endoftext|>caf\u00e9<|endoftext|>",
]


# Characters that regular-expression dialects class differently (white space or not), or that end a run.
EDGES = "\u0085\u00a0\u3000\u180e\u200b\u2028\u001c\u001f\u000b\r\t"


def byte_letters(text):
    """How byte-level tokens spell the bytes of a text: printable Latin-1 as itself, the rest from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte if byte in plain else 0x100 + others.index(byte)) for byte in text.encode()]


def edge_merges(sentencepiece):
    """Merges across places where a word has to end: ids differ as soon as a text is cut elsewhere."""
    letters = list if sentencepiece else byte_letters
    merges, built = [], set()

    def whole(text):
        parts = letters(text.replace(" ", SPACE) if sentencepiece else text)
        joined = parts[0]
        for part in parts[1:]:
            merges.append([joined, part])
            joined += part
        return joined

    def join(left, right):
        merges.append([whole(left), whole(right)])

    for run in ("  ", "    ", "\n\n", "\n\n\n\n", "\r\n", "00", "000", "0000"):
        join(run[: len(run) // 2], run[len(run) // 2 :])
    for digit in range(9):
        join(str(digit), str(digit + 1))
        join(f"{digit}{digit + 1}", str((digit + 2) % 10))
    join("12", "34")
    join("123", "4")
    for ending in ("s", "S", "\u017f", "t", "T", "ll", "LL", "lL", "re", "RE", "ve", "m", "d"):
        join("'" + ending, "x")
    for left, right in ("s ", " \n", "\n ", "\na", ";\n", "!\n", "1 ", "a1", "1a", "_a", "a_", ".5", " 1", " !"):
        join(left, right)
    for edge in EDGES:
        join(edge, edge)
        for other in "!a1 ":
            join(other, edge)
            join(edge, other)
    return [merge for merge in merges if not ("".join(merge) in built or built.add("".join(merge)))]


def trained(kind):
    """Vocabulary and merges: learned by the library, then laid out as the kind of file lays them out."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    sentencepiece = "byte_fallback" in kind
    tokenizer = Tokenizer(models.BPE())
    if sentencepiece:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=True)
        trainer = trainers.BpeTrainer(vocab_size=520, limit_alphabet=240, show_progress=False)
    else:
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = Tokenizer.from_str(skeleton(kind)).pre_tokenizer
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [merge if isinstance(merge, list) else merge.split(" ") for merge in model["merges"]]
    known = set(tokens)
    for left, right in edge_merges(sentencepiece):
        if left in known and right in known and left + right not in known:
            merges.append([left, right])
            tokens.append(left + right)
            known.add(left + right)
    return tokens, merges


def skeleton(kind):
    """The kind's tokenizer.json with an empty model."""
    empty = {**kind, "begin": None, "added": []}
    return json.dumps(laid_out(empty, {}, []))


def laid_out(kind, vocabulary, merges):
    post = kind.get("post_processor")
    if kind.get("begin"):
        post = begin_with(kind["begin"], vocabulary[kind["begin"]])
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocabulary[token["content"]], **token} for token in kind["added"]],
        "normalizer": kind.get("normalizer"),
        "pre_tokenizer": kind.get("pre_tokenizer"),
        "post_processor": post,
        "decoder": kind["decoder"],
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>" if "byte_fallback" in kind else None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": kind.get("fuse_unk", False),
            "byte_fallback": kind.get("byte_fallback", False),
            "ignore_merges": kind.get("ignore_merges", False),
            "vocab": {t: i for t, i in vocabulary.items() if t in kind.get("in_model", vocabulary)},
            "merges": [" ".join(merge) for merge in merges] if kind.get("old_merges") else merges,
        },
    }


def tokenizer_json(kind):
    """SentencePiece kinds begin with their specials and bytes; byte-level kinds end with their added tokens."""
    tokens, merges = trained(kind)
    tokens += kind.get("unmerged", [])
    specials = [token["content"] for token in kind["added"]]
    if "byte_fallback" in kind:
        first = [token["content"] for token in SENTENCEPIECE_SPECIALS]
        if kind["byte_fallback"]:
            first += [f"<0x{byte:02X}>" for byte in range(kind.get("byte_tokens", 256))]
        tokens = first + tokens
        in_model = list(tokens)
    else:
        in_model = list(tokens)
    order = list(dict.fromkeys(tokens + specials))
    vocabulary = {token: i for i, token in enumerate(order)}
    return laid_out({**kind, "in_model": set(in_model)}, vocabulary, merges)


def vector(tokenizer, text):
    ids = tokenizer.encode(text).ids
    return {
        "text": text,
        "ids": ids,
        "ids_no_special": tokenizer.encode(text, add_special_tokens=False).ids,
        "decoded": tokenizer.decode(ids, skip_special_tokens=False),
        "decoded_skip": tokenizer.decode(ids, skip_special_tokens=True),
    }


def make(out):
    from tokenizers import Tokenizer

    for name, kind in kinds().items():
        path = out / "tokenizer" / name
        write_json(path / "tokenizer.json", tokenizer_json(kind), indent=None)
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        own = list(kind.get("own_texts", [])) + [around for token in kind["added"] for around in neighbours(token)]
        rows = [vector(tokenizer, text) for text in texts(name, own)]
        write_jsonl(path / "vectors.jsonl", rows)
        lossless = sum(row["decoded_skip"].strip() == row["text"].strip() for row in rows)
        print(name, "vocabulary", tokenizer.get_vocab_size(), "texts", len(rows), "read back", lossless)


def neighbours(token):
    content = token["content"]
    return [f"a {content} b", f"a{content}b", f"{content}{content}", f" {content}"]
