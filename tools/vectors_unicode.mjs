// Writes tests/data/unicode/ and tests/data/tokenizer/unicode-*/: what Hugging Face's `tokenizers` makes of character
// classes, normal forms and texts newer than Unicode 14.
//   npm install --prefix DIR @anush008/tokenizers@0.6.0      (tokenizers 0.22.2, Oniguruma with Unicode 16)
//   node tools/vectors_unicode.mjs DIR tests/data
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [, , packages, out] = process.argv;
const library = createRequire(resolve(packages, "here.js"))("@anush008/tokenizers");

const plain = [...Array(256).keys()].filter((b) => (b > 0x20 && b < 0x7f) || (b > 0xa0 && b !== 0xad));
const hidden = [...Array(256).keys()].filter((b) => !plain.includes(b));
const letter = (byte) => String.fromCodePoint(plain.includes(byte) ? byte : 0x100 + hidden.indexOf(byte));
const letters = (text) => [...Buffer.from(text)].map(letter);

const split = (pattern, behavior) => ({ type: "Split", pattern: { Regex: pattern }, behavior, invert: false });
const sequence = (...pretokenizers) => ({ type: "Sequence", pretokenizers });
const byte_level = (use_regex) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex });

// A tokenizer of bytes, with merges that make any text that is not cut one token.
const tokenizer_json = ({ normalizer = null, pre_tokenizer, joined = [] }) => {
  const vocab = Object.fromEntries([...Array(256).keys()].map((byte) => [letter(byte), byte]));
  const merges = [];
  for (const text of joined)
    letters(text).reduce((left, right) => {
      if (!(left + right in vocab)) {
        vocab[left + right] = Object.keys(vocab).length;
        merges.push([left, right]);
      }
      return left + right;
    });
  const model = {
    type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
    fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges,
  };
  const frame = { version: "1.0", truncation: null, padding: null, added_tokens: [], post_processor: null };
  return { ...frame, normalizer, pre_tokenizer, decoder: byte_level(true), model };
};
const made = (json) => library.Tokenizer.fromString(JSON.stringify(json));
const write = (path, ...lines) => {
  mkdirSync(resolve(out, path, ".."), { recursive: true });
  writeFileSync(resolve(out, path), lines.map((line) => JSON.stringify(line) + "\n").join(""));
};

// Classes: how many of the sampled code points each holds, and the FNV-1a hash of those.
const sampled = [[0, 0x3400], [0xa000, 0xac00], [0xf900, 0x12600], [0x16000, 0x17000], [0x1aff0, 0x1fc00]];
const points = sampled.flatMap(([begin, end]) => [...Array(end - begin).keys()].map((i) => begin + i));
for (let point = 0; point < 0x110000; point += 0x7f) points.push(point);
const sample = [...new Set(points)].filter((p) => p < 0xd800 || p > 0xdfff).sort((a, b) => a - b);
const sample_text = sample.map((p) => String.fromCodePoint(p)).join("");

const members_of = (pattern) => {
  const words = made(tokenizer_json({ pre_tokenizer: split(pattern, "Removed") })).getPreTokenizer();
  const left = new Set(words.preTokenizeString(sample_text).flatMap(([word]) => [...word]));
  const members = sample.filter((point) => !left.has(String.fromCodePoint(point)));
  let hash = 0xcbf29ce484222325n;
  for (const point of members) hash = BigInt.asUintN(64, (hash ^ BigInt(point)) * 0x100000001b3n);
  return { pattern, members: members.length, hash: hash.toString(16) };
};

const names = `L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Co Cn LC Letter
  Lowercase_Letter Decimal_Number Nonspacing_Mark Other_Punctuation Unassigned otherletter Arabic Armenian Bengali Common
  Cyrillic Devanagari Ethiopic Georgian Greek Grek Gujarati Gurmukhi Han Hani Hangul Hebrew Hiragana Inherited Kannada
  Katakana Kawi Khmer Lao Latin LATN Malayalam Mongolian Myanmar Nag_Mundari Ol_Onal Oriya Qaai Sinhala Sunuwar Tamil
  Telugu Thai Tibetan Todhri Tulu_Tigalari Unknown Zyyy Alphabetic Lowercase Uppercase White_Space Cased Case_Ignorable
  Changes_When_Lowercased CWU Dash Default_Ignorable_Code_Point Diacritic Emoji Emoji_Component Emoji_Modifier_Base
  Emoji_Presentation Extended_Pictographic Extender Grapheme_Base Grapheme_Extend Hex_Digit ID_Start ID_Continue
  Ideographic IDSB Join_Control Math Noncharacter_Code_Point Other_Alphabetic Pattern_Syntax Quotation_Mark
  Sentence_Terminal Terminal_Punctuation Unified_Ideograph Variation_Selector XID_Start XID_Continue Any Assigned Alnum
  Alpha ASCII Blank Cntrl Digit Graph Lower Print Punct PosixPunct Space Upper XDigit Word In_Basic_Latin
  InCJKSymbolsAndPunctuation In_Kana_Supplement In_No_Block`.split(/\s+/);
const posix = "alnum alpha ascii blank cntrl digit graph lower print punct space upper xdigit word".split(" ");
const classes = [
  ...names.map((name) => `\\p{${name}}`),
  ...posix.flatMap((name) => [`[[:${name}:]]`, `[[:^${name}:]]`]),
  ..."wWdDsShH".split("").flatMap((letter) => [`\\${letter}`, `[\\${letter}]`, `[^\\${letter}]`]),
  ...String.raw`. \P{L} \p{^L} \P{^L} [\p{Word}] [^\p{word}] [\P{Lu}] [a[bc]] [a[^b]] [^a[^b]] [a-c&&b-d&&c-f] [^a-c&&b-d]
    [a&&] [&&a] [\p{L}&&\p{Han}] [\w&&[^\d_]] [[:alpha:]&&[^\p{Latin}]] [\p{P}&&[^-]] []a] [^]a] [a-] [-a] [--a] [a-c-e]
    [[a]-z] [\d-] [a&b] [a&&&b] [^\s\p{L}\p{N}] [^\r\n\p{L}\p{N}] [\p{L}\p{M}] [\p{P}\p{S}] [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
    [\x41-\x5a\u00e9\x{1F600}-\x{1F64F}\101\t\e] [^\x{0}-\x{10FFFF}] [\x{0}-\x{10FFFF}] [ぁ-んァ-ヶ一-龥]
    [\p{Mn}] [\p{Mc}] [^\p{Mn}] (?i)\p{Lu} (?i)[a-z] (?i)[^a-z] (?i)k (?i)[\p{L}] (?i)[^\p{L}] (?i)[\p{M}] (?i)[\w] (?i:[sdmt])
    (?-i)[a-z] (?i)(?-i:[a-z]) [[:alpha:]\p{N}&&[^\x{0}-\x{7F}]] [\[\]&&\]]`.split(/\s+/),
];
write("unicode/classes.jsonl", { sampled, every: 0x7f }, ...classes.map(members_of));

// Normal forms: what came after Unicode 9 among what was there.
const forms = { nfc: library.nfcNormalizer(), nfd: library.nfdNormalizer(), nfkc: library.nfkcNormalizer(), nfkd: library.nfkdNormalizer() };
const newer = [0x8d2, 0x1ac1, 0x11935, 0x11930, 0x11938, 0x10efd, 0x32ff, 0xa7f2, 0xab69, 0x1fbf0, 0x1f16c, 0x10788, 0x1e030,
  0x897, 0x105d2, 0x105c9, 0x11384, 0x113bb, 0x11383, 0xd3c, 0x1df6, 0x7fd, 0xeba, 0x11f41];
const older = [0x65, 0x61, 0x301, 0x323, 0x307, 0xe9, 0x1e69, 0x1100, 0x1161, 0x11a7, 0x11a8, 0xac00, 0xfb01, 0x212b, 0x9c7, 0x9be,
  0xff76, 0xff9e, 0x8d4, 0x20];
let state = 1;
const below = (end) => ((state = (state * 1103515245 + 12345) & 0x7fffffff) >>> 8) % end;
const random_text = () =>
  String.fromCodePoint(...[...Array(1 + below(8))].map(() => (below(3) ? older[below(older.length)] : newer[below(newer.length)])));
const normal_texts = [
  ...newer.map((point) => "e" + String.fromCodePoint(point) + "\u0301"),
  "\u{11935}\u{11930}", "a\u1ac1\u0323", "\u{105d2}\u0307", "\uac00\u11a7", "\uac00\u11a8", "\uac00\u11a7\u0301",
  ...[...Array(200)].map(random_text),
];
write("unicode/normal_forms.jsonl", ...normal_texts.map((text) => ({
  text, ...Object.fromEntries(Object.entries(forms).map(([form, normalizer]) => [form, normalizer.normalizeString(text)])),
})));

const encode = async (tokenizer, text) => {
  const ids = (await tokenizer.encode(text, null, { addSpecialTokens: true })).getIds();
  const ids_no_special = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
  const [decoded, decoded_skip] = [await tokenizer.decode(ids, false), await tokenizer.decode(ids, true)];
  return { text, ids, ids_no_special, decoded, decoded_skip };
};

// One pattern, its matches removed, the bytes of the rest.
const at = (...codes) => codes.map((code) => String.fromCodePoint(code));
const removed = {
  "[[:alpha:]]": ["a", ...at(0x93e, 0xe34, 0x216b, 0x345)],
  "[[:punct:]]": ["!", "$", ...at(0xa3, 0xd7, 0xb0, 0x20ac, 0x2192)],
  "[[:upper:]]": ["A", ...at(0x216b, 0x24b6)],
  "[[:lower:]]": ["a", ...at(0xaa, 0xba, 0x2b0, 0x2177)],
  "[[:alnum:]]": ["1", ...at(0xb2, 0xbd, 0x2460, 0x93e)],
  "[[:word:]]": ["_", ...at(0xb2, 0x2460, 0x301, 0x203f)],
  "[[:space:]]": [" ", ...at(0x180e)],
  "\\p{Han}": ["中", "。", "中。", "「", "〇"],
  "\\p{Hiragana}": ["あ", "ー", "。"],
  "\\p{Katakana}": ["ア", "ー", "、"],
  "\\p{Latin}": ["a", ...at(0x202f)],
  "\\p{Devanagari}": at(0x915, 0x964),
  "\\p{Arabic}": at(0x645, 0x60c, 0x640, 0x64e),
  "\\p{Greek}": at(0x3b1, 0x345),
  "\\p{Cyrillic}": at(0x44f, 0x485),
  "\\p{Hangul}": ["한", "。"],
  "\\w": ["a", ...at(0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe)],
  "\\W": [".", ...at(0xb2, 0xbd)],
  "[^\\w]": at(0xb2, 0xbd),
  "\\bb": ["b²b", "²b", ".b"],
  "ab(?i)c|de": ["abC de abDE"],
  "(?i:\\p{Lu})b": ["ab Ab aB AB"],
};
const rows = [];
for (const [pattern, texts] of Object.entries(removed)) {
  const tokenizer = made(tokenizer_json({ pre_tokenizer: sequence(split(pattern, "Removed"), byte_level(false)) }));
  for (const text of texts) rows.push({ pattern, ...(await encode(tokenizer, text)) });
}
write("unicode/removed.json", tokenizer_json({ pre_tokenizer: sequence(split("PATTERN", "Removed"), byte_level(false)) }));
write("unicode/removed.jsonl", ...rows);

// Whole tokenizers: the pipelines of published files, stated as facts.
const rest = String.raw`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const qwen = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|" + rest;
const deepseek = [
  String.raw`\p{N}{1,3}`,
  "[一-龥぀-ゟ゠-ヿ]+",
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
];
const isolated = (...patterns) => sequence(...patterns.map((pattern) => split(pattern, "Isolated")), byte_level(false));
const new_points = [0x1faf7, 0x1f6dc, 0x1fae8, 0x2fff, 0x2ebff, 0x313ff, 0x1c89, 0x897, 0x11f5a, 0x1d2d3, 0x10d49, 0x11f59, 0x1e4f9,
  0x1171e, 0x1e030, 0x16d63, 0x1cc00, 0x10d4a];
const around = new_points.flatMap((point) => {
  const character = String.fromCodePoint(point);
  return [" " + character, `a${character}b`, `1${character}2`, `a ${character}!`];
});
const clusters = ["e\u08d2\u0301", "a\u1ac1\u0323", "\u{11935}\u{11930}", "e\u{10efd}\u0301"];
const compatibles = ["\u32ff", "\ua7f2", "\uab69", "\u{1fbf0}", "\u{1f16c}", "\u{10788}", "\u{1e030}", "\ufb01"];
const scripts = ["。\n", "。\n\n", "中文。\n", "ーあ", "ा。क", "\u093e\u0915", "\u0647\u0650", "$a", "x€1", "\u00b2a"];
const texts = [...around, ...clusters, ...compatibles, ...scripts];
const whole = {
  "unicode-qwen3": { normalizer: { type: "NFC" }, pre_tokenizer: isolated(qwen) },
  "unicode-llama3": { pre_tokenizer: isolated(qwen.replace("\\p{N}|", "\\p{N}{1,3}|")) },
  "unicode-deepseek": { pre_tokenizer: isolated(...deepseek) },
  "unicode-nfkc": { normalizer: { type: "NFKC" }, pre_tokenizer: byte_level(true) },
  "unicode-han": { normalizer: { type: "NFC" }, pre_tokenizer: isolated("[\\p{Han}]+|" + rest) },
  "unicode-posix": { normalizer: { type: "NFC" }, pre_tokenizer: isolated("[[:punct:]]|[[:alpha:]]+|\\s+") },
  "unicode-digits": { pre_tokenizer: sequence({ type: "Digits", individual_digits: true }, byte_level(false)) },
};
for (const [name, kind] of Object.entries(whole)) {
  const json = tokenizer_json({ ...kind, joined: texts.flatMap((text) => [text, text.normalize("NFC"), text.normalize("NFKC")]) });
  write(`tokenizer/${name}/tokenizer.json`, json);
  const tokenizer = made(json);
  const lines = [];
  for (const text of texts) lines.push(await encode(tokenizer, text));
  write(`tokenizer/${name}/vectors.jsonl`, ...lines);
}
process.exit(0);
