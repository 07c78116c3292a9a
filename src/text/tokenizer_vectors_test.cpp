// Every tokenizer in tests/data/tokenizer against what Hugging Face's library made of many texts.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "io/json.h"
#include "testing/test_names.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

std::filesystem::path vectors_directory() { return std::filesystem::path(EYRIE_SOURCE_DIR) / "tests/data/tokenizer"; }

std::vector<std::string> tokenizer_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(vectors_directory()))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(Json::parse(line, path.string(), static_cast<int64_t>(lines.size()) + 1));
  return lines;
}

std::vector<int32_t> ids_of(const Json& row, std::string_view key) {
  std::vector<int32_t> ids;
  for (const Json& id : row.array(key)) ids.push_back(static_cast<int32_t>(id.as_integer()));
  return ids;
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string text;
  for (const int32_t id : ids) {
    const std::string piece = decoder.push(id);
    EXPECT_EQ(first_invalid_byte(piece), kAllValid) << "after " << text;
    text += piece;
  }
  return text + decoder.finish();
}

class TokenizerVectors : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path directory_ = vectors_directory() / GetParam();
  Tokenizer tokenizer_ = Tokenizer::from_directory(directory_.string());
};

TEST(TokenizerVectors, AreThere) { ASSERT_GE(tokenizer_names().size(), 11u); }

TEST_P(TokenizerVectors, IdsAndTextsAreTheLibrarys) {
  const std::vector<Json> rows = read_lines(directory_ / "vectors.jsonl");
  ASSERT_GE(rows.size(), 50u);
  for (const Json& row : rows) {
    const std::string& text = row.text("text");
    const std::vector<int32_t> ids = ids_of(row, "ids");
    EXPECT_EQ(tokenizer_.encode(text, true), ids) << row.at("text").dump();
    EXPECT_EQ(tokenizer_.encode(text, false), ids_of(row, "ids_no_special")) << row.at("text").dump();
    EXPECT_EQ(tokenizer_.decode(ids, false), row.text("decoded")) << row.at("text").dump();
    EXPECT_EQ(tokenizer_.decode(ids, true), row.text("decoded_skip")) << row.at("text").dump();
  }
}

// Ids that no text gives: halves of characters, byte tokens in any order, specials in between.
TEST_P(TokenizerVectors, StreamsAnyIdsAsTheyDecode) {
  RandomStream random("stream " + GetParam());
  const auto end = static_cast<uint64_t>(tokenizer_.vocabulary_size());
  for (int round = 0; round < 200; ++round) {
    std::vector<int32_t> ids(random.below(40));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(end));
    for (const bool skip : {false, true}) EXPECT_EQ(streamed(tokenizer_, ids, skip), tokenizer_.decode(ids, skip));
  }
}

TEST_P(TokenizerVectors, OffsetsAscendAndLieOnCharacters) {
  for (const Json& row : read_lines(directory_ / "vectors.jsonl")) {
    const std::string& text = row.text("text");
    const EncodedText encoded = tokenizer_.encode_with_offsets(text);
    EXPECT_TRUE(std::is_sorted(encoded.begin.begin(), encoded.begin.end())) << row.at("text").dump();
    for (const size_t begin : encoded.begin) EXPECT_LT(begin, text.size()) << row.at("text").dump();
  }
}

INSTANTIATE_TEST_SUITE_P(Text, TokenizerVectors, ::testing::ValuesIn(tokenizer_names()), testing::word_name);

}  // namespace
}  // namespace eyrie
