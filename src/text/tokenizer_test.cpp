// Small tokenizers written out here, whose ids can be derived by hand; and files that lie.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/random.h"
#include "io/json.h"

namespace eyrie {
namespace {

// A tokenizer.json out of its parts; {} for those that are not given.
struct Parts {
  std::string vocab = R"({"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "abc": 5})";
  std::string merges = R"(["b c", "a b", "a bc"])";
  std::string model = "";  // further members of the model
  std::string added = "[]";
  std::string normalizer = "null", pre_tokenizer = "null", post_processor = "null", decoder = R"({"type": "Fuse"})";

  std::string text() const {
    return R"({"version": "1.0", "added_tokens": )" + added + R"(, "normalizer": )" + normalizer +
           R"(, "pre_tokenizer": )" + pre_tokenizer + R"(, "post_processor": )" + post_processor + R"(, "decoder": )" +
           decoder + R"(, "model": {"type": "BPE", )" + model + R"("vocab": )" + vocab + R"(, "merges": )" + merges +
           "}}";
  }
};

Tokenizer make(const Parts& parts) { return Tokenizer::from_text(parts.text(), "tokenizer.json"); }

using Ids = std::vector<int32_t>;

std::string added_token(const std::string& content, int id, const std::string& flags = "") {
  std::string token = R"({"id": )" + std::to_string(id) + R"(, "content": ")" + content + "\"";
  for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"})
    token += std::string(", \"") + flag + "\": " + (flags.find(flag) == flags.npos ? "false" : "true");
  return token + "}";
}

TEST(Tokenizer, MergesTheLowestRankFirst) {
  const Tokenizer tokenizer = make({});
  EXPECT_EQ(tokenizer.encode("abc", false), Ids{5});  // bc (rank 0), then a bc (rank 2)
  EXPECT_EQ(tokenizer.encode("aabbcc", false), (Ids{0, 3, 4, 2}));
  EXPECT_EQ(tokenizer.encode("axb", false), Ids{3});  // x has no token and vanishes
  EXPECT_EQ(tokenizer.encode("", false), Ids{});
}

TEST(Tokenizer, EqualPairsMergeFromTheLeft) {
  const Tokenizer tokenizer =
      make({.vocab = R"({"a": 0, "aa": 1, "aaa": 2})", .merges = R"([["a", "a"], ["aa", "a"]])"});
  EXPECT_EQ(tokenizer.encode("aaa", false), Ids{2});
  EXPECT_EQ(tokenizer.encode("aaaaa", false), (Ids{1, 2}));
}

TEST(Tokenizer, IgnoreMergesTakesAWholeWord) {
  const Parts parts = {.vocab = R"({"a": 0, "b": 1, "ba": 2})", .merges = "[]"};
  EXPECT_EQ(make(parts).encode("ba", false), (Ids{1, 0}));
  Parts ignoring = parts;
  ignoring.model = R"("ignore_merges": true, )";
  EXPECT_EQ(make(ignoring).encode("ba", false), Ids{2});
}

TEST(Tokenizer, UnknownCharacters) {
  Parts parts = {.vocab = R"({"<unk>": 0, "a": 1, "<0xC3>": 2, "<0xA9>": 3})", .merges = "[]"};
  parts.model = R"("unk_token": "<unk>", )";
  EXPECT_EQ(make(parts).encode("xya\u00e9", false), (Ids{0, 0, 1, 0}));
  parts.model = R"("unk_token": "<unk>", "fuse_unk": true, )";
  EXPECT_EQ(make(parts).encode("xya\u00e9", false), (Ids{0, 1, 0}));
  parts.model = R"("unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, )";
  EXPECT_EQ(make(parts).encode("a\u00e9\u00e8", false), (Ids{1, 2, 3, 0}));
  EXPECT_EQ(make(parts).encode("x\u00e9y", false),
            (Ids{2, 3, 0}));  // the library's order: x waits for a known character
}

// As Hugging Face's library gives them: the file's ids count for nothing.
TEST(Tokenizer, AddedIdsFollowTheModelsWithoutGaps) {
  const Tokenizer tokenizer =
      make({.added = "[" + added_token("<s>", 9) + "," + added_token("b", 0) + "," + added_token("<x>", 40) + "]"});
  EXPECT_EQ(tokenizer.token_id("<s>"), 6);
  EXPECT_EQ(tokenizer.token_id("b"), 1);
  EXPECT_EQ(tokenizer.token_id("<x>"), 7);
  EXPECT_EQ(tokenizer.vocabulary_size(), 8);
  EXPECT_EQ(tokenizer.encode("<x><s>b", false), (Ids{7, 6, 1}));
}

TEST(Tokenizer, TemplatesAndSizes) {
  const Tokenizer tokenizer =
      make({.added = "[" + added_token("<s>", 6, "special") + "," + added_token("<x>", 7) + "]",
            .post_processor = R"({"type": "Sequence", "processors": [{"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": "B", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
         "special_tokens": {"B": {"id": "B", "ids": [6, 7], "tokens": ["<s>", "<x>"]}}}]})"});
  EXPECT_EQ(tokenizer.encode("a<s>b", true), (Ids{6, 7, 0, 6, 1}));
  EXPECT_EQ(tokenizer.encode("a<s>b", false), (Ids{0, 6, 1}));
  EXPECT_EQ(tokenizer.decode(Ids{6, 0, 7, 100, -1}, true), "a<x>");
  EXPECT_EQ(tokenizer.vocabulary_size(), 8);
  EXPECT_EQ(tokenizer.token_id("<x>"), 7);
  EXPECT_EQ(tokenizer.token_id("bc"), 4);
  EXPECT_EQ(tokenizer.token_id("q"), std::nullopt);
  EXPECT_EQ(tokenizer.token_text(7), "<x>");
  EXPECT_EQ(tokenizer.token_text(99), "");
  EXPECT_TRUE(tokenizer.is_added(7) && !tokenizer.is_added(0));
}

TEST(Tokenizer, HashIsOfTheBytes) {
  EXPECT_EQ(make({}).hash(), make({}).hash());
  EXPECT_NE(make({}).hash(), make({.decoder = R"({"type": "Fuse"} )"}).hash());
  EXPECT_EQ(make({}).hash().size(), 16u);
}

TEST(Tokenizer, NormalizersKeepOrigins) {
  const Tokenizer tokenizer = make(
      {.normalizer = R"({"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": true, "strip_right": true},
        {"type": "Lowercase"}, {"type": "Replace", "pattern": {"Regex": "x+"}, "content": "b"},
        {"type": "Prepend", "prepend": "c"}]})"});
  const EncodedText encoded = tokenizer.encode_with_offsets("  AxxC\u3000");
  EXPECT_EQ(encoded.ids, (Ids{2, 5}));  // c abc
  EXPECT_EQ(encoded.begin, (std::vector<size_t>{2, 2}));
  EXPECT_EQ(tokenizer.encode(" \n ", false), Ids{});
}

TEST(Tokenizer, AddedTokensDoNotTakeTheSameSpacesTwice) {
  const Tokenizer tokenizer = make({.added = "[" + added_token("<s>", 6, "lstrip rstrip") + "]"});
  const EncodedText encoded = tokenizer.encode_with_offsets("a <s>  <s> b");
  EXPECT_EQ(encoded.ids, (Ids{0, 6, 6, 1}));
  EXPECT_EQ(encoded.begin, (std::vector<size_t>{0, 1, 7, 11}));
}

TEST(Tokenizer, ByteLevelPutsASpaceBeforeEveryPiece) {
  const Tokenizer tokenizer = make({.vocab = R"({"a": 0, "\u0120": 1, "\u0120a": 2})",
                                    .merges = R"([["\u0120", "a"]])",
                                    .added = "[" + added_token("<s>", 3) + "]",
                                    .pre_tokenizer = R"({"type": "ByteLevel", "add_prefix_space": true})"});
  EXPECT_EQ(tokenizer.encode("a", false), Ids{2});
  EXPECT_EQ(tokenizer.encode(" a", false), Ids{2});
  EXPECT_EQ(tokenizer.encode("  a<s>a", false), (Ids{1, 2, 3, 2}));
}

TEST(Tokenizer, InvalidUtf8NamesTheOffset) {
  try {
    make({}).encode("ab\xc3(", false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_NE(std::string(error.what()).find("offset 2"), std::string::npos) << error.what();
  }
}

// ByteFallback holds a run of bytes until it ends; a run that is no text becomes one U+FFFD per byte.
TEST(StreamDecoder, HoldsBytesUntilTheirRunEnds) {
  const Tokenizer tokenizer = make(
      {.vocab = R"({"\u2581a": 0, "<0xC3>": 1, "<0xA9>": 2, "b": 3})",
       .merges = "[]",
       .decoder =
           R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
              {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})"});
  StreamDecoder decoder(tokenizer, false);
  EXPECT_EQ(decoder.push(0), "a");
  EXPECT_EQ(decoder.push(1), "");
  EXPECT_EQ(decoder.push(2), "");
  EXPECT_EQ(decoder.push(0), "\u00e9 a");
  EXPECT_EQ(decoder.push(1), "");
  EXPECT_EQ(decoder.push(3), "\uFFFDb");
  EXPECT_EQ(decoder.push(2), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(tokenizer.decode(Ids{1, 2, 2}, false), "\uFFFD\uFFFD\uFFFD");
}

TEST(StreamDecoder, NeverGivesHalfACharacter) {
  const Tokenizer tokenizer = make({.vocab = R"({"\u00f0\u0141": 0, "\u0130\u012b": 1, "a": 2})",
                                    .merges = "[]",
                                    .decoder = R"({"type": "ByteLevel"})"});
  StreamDecoder decoder(tokenizer, false);  // the party popper in two halves: F0 9F | 8E 89
  EXPECT_EQ(decoder.push(0), "");
  EXPECT_EQ(decoder.push(1), "\U0001F389");
  EXPECT_EQ(decoder.push(0), "");
  EXPECT_EQ(decoder.push(2), "\uFFFDa");
  EXPECT_EQ(decoder.push(0), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
}

TEST(StreamDecoder, WaitsForStepsThatNeedTheWholeText) {
  const std::string fused = R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, )";
  const Tokenizer tokenizer =
      make({.decoder = fused + R"({"type": "Replace", "pattern": {"String": "bc"}, "content": "X"},
        {"type": "Strip", "content": "c", "start": 0, "stop": 2}]})"});
  StreamDecoder decoder(tokenizer, false);
  for (const int32_t id : {0, 1, 2, 2, 2}) EXPECT_EQ(decoder.push(id), "");
  EXPECT_EQ(decoder.finish(), "aX");
}

TEST(Tokenizer, WithoutADecoderTokensStandApart) {
  EXPECT_EQ(make({.decoder = "null"}).decode(Ids{0, 4, 2}, false), "a bc c");
}

struct Lie {
  const char* name;
  Parts parts;
  const char* said;  // part of the message
};

TEST(TokenizerErrors, EveryLieIsNamed) {
  const Lie lies[] = {
      {"model type", {.model = R"("dropout": 0.1, )"}, "dropout 0.1"},
      {"prefix", {.model = R"("continuing_subword_prefix": "##", )"}, "##"},
      {"unknown token", {.model = R"("unk_token": "<unk>", )"}, "\"<unk>\": is not in the vocabulary"},
      {"same id", {.vocab = R"({"a": 0, "b": 0, "ab": 1})"}, "id 0 is already that of \"a\""},
      {"negative id", {.vocab = R"({"a": -1})"}, "-1"},
      {"huge id", {.vocab = R"({"a": 2147483647})"}, "id 2147483647: expected 0 to"},
      {"wrapped id", {.vocab = R"({"a": 18446744073709551616})"}, "expected an integer"},
      {"text id", {.vocab = R"({"a": "0"})"}, "expected an integer"},
      {"merge of nothing", {.merges = R"(["a q"])"}, "\"q\""},
      {"merge to nothing", {.merges = R"(["c a"])"}, "\"ca\": is not in the vocabulary"},
      {"three parts", {.merges = R"(["a b c"])"}, "expected two tokens"},
      {"three tokens", {.merges = R"([["a", "b", "c"]])"}, "expected two tokens"},
      {"added twice", {.added = "[" + added_token("<s>", 6) + "," + added_token("<s>", 7) + "]"}, "stands twice"},
      {"added empty", {.added = "[" + added_token("", 6) + "]"}, "has no text"},
      {"normalizer", {.normalizer = R"({"type": "Precompiled"})"}, "Precompiled"},
      {"pre-tokenizer", {.pre_tokenizer = R"({"type": "BertPreTokenizer"})"}, "supported: ByteLevel, Split"},
      {"post-processor", {.post_processor = R"({"type": "BertProcessing"})"}, "TemplateProcessing"},
      {"decoder", {.decoder = R"({"type": "WordPiece"})"}, "supported: ByteLevel, Replace"},
      {"template id",
       {.post_processor = R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "B"}}],
         "special_tokens": {"B": {"ids": [77]}}})"},
       "id 77 is not in the vocabulary"},
      {"pattern",
       {.pre_tokenizer = R"({"type": "Split", "pattern": {"Regex": "[a"}, "behavior": "Isolated", "invert": false})"},
       "[a"},
      {"behavior",
       {.pre_tokenizer = R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Kept", "invert": false})"},
       "Kept"},
      {"replacement",
       {.pre_tokenizer = R"({"type": "Metaspace", "replacement": "ab", "prepend_scheme": "first"})"},
       "one character"},
      {"scheme", {.pre_tokenizer = R"({"type": "Metaspace", "replacement": "a", "prepend_scheme": "last"})"}, "last"},
  };
  for (const Lie& lie : lies) {
    try {
      make(lie.parts);
      ADD_FAILURE() << lie.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::file) << lie.name;
      const std::string what = error.what();
      EXPECT_TRUE(what.starts_with("tokenizer.json")) << what;
      EXPECT_NE(what.find(lie.said), what.npos) << lie.name << ": " << what;
      EXPECT_EQ(what.find('\n'), what.npos) << what;
    }
  }
}

TEST(TokenizerErrors, FilesThatAreNoTokenizer) {
  EXPECT_THROW(Tokenizer::from_directory("/nowhere"), Error);
  for (const char* text :
       {"", "{", "[]", "{}", R"({"model": {}})", R"({"model": {"type": "Unigram"}})", "{\"model\": \"\xff\"}"})
    EXPECT_THROW(Tokenizer::from_text(text, "t"), Error) << text;
}

// Words of a megabyte: a heap, not a scan, finds each merge; spaces, marks and added tokens cost no more.
TEST(Tokenizer, LongWordsStayPossible) {
  const Tokenizer tokenizer = make(
      {.added = "[" + added_token("<s>", 6, "lstrip rstrip") + "]",
       .normalizer = R"({"type": "NFC"})",
       .pre_tokenizer =
           R"({"type": "Split", "pattern": {"Regex": "\\p{L}+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false})"});
  constexpr size_t kBytes = 1 << 20;
  std::string words;
  while (words.size() < kBytes) words += "abcbcab";
  EXPECT_GT(tokenizer.encode(words, false).size(), kBytes / 7);
  std::string marks = "a";
  while (marks.size() < kBytes) marks += "\u0301\u0323";
  EXPECT_EQ(tokenizer.encode(marks, false).size(), 0u);  // a-acute-dot-below is no token
  std::string specials;
  while (specials.size() < kBytes) specials += " <s> ";
  EXPECT_GT(tokenizer.encode(specials, false).size(), kBytes / 6);
}

}  // namespace
}  // namespace eyrie
