// Every tokenizer in tests/data/tokenizer, and the classes and normal forms of tests/data/unicode, against what Hugging
// Face's library made of them.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <span>

#include "base/random.h"
#include "io/json.h"
#include "testing/test_names.h"
#include "text/normal_form.h"
#include "text/regex.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/unicode_property.h"

namespace eyrie {
namespace {

std::filesystem::path data_directory() { return std::filesystem::path(EYRIE_SOURCE_DIR) / "tests/data"; }
std::filesystem::path vectors_directory() { return data_directory() / "tokenizer"; }

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

TEST(TokenizerVectors, AreThere) { ASSERT_GE(tokenizer_names().size(), 18u); }

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

// The first line of classes.jsonl says which code points were asked about.
std::vector<uint32_t> sampled_points(const Json& row) {
  CodePointSet set;
  for (const Json& range : row.array("sampled")) {
    std::vector<uint32_t> bounds;
    for (const Json& bound : range.as_array()) bounds.push_back(static_cast<uint32_t>(bound.as_integer()));
    set |= CodePointSet(bounds);
  }
  std::vector<uint32_t> points;
  for (uint32_t point = 0; point < kEndOfCodePoints; ++point)
    if ((set.contains(point) || point % row.integer("every") == 0) && (point < 0xD800 || point > 0xDFFF))
      points.push_back(point);
  return points;
}

// The points of which a pattern matches each alone.
std::vector<uint32_t> members(const Pattern& pattern, const std::vector<uint32_t>& points) {
  std::string text;
  for (const uint32_t point : points) append_utf8(text, point);
  std::vector<uint32_t> found;
  pattern.for_each_match(text, [&](size_t begin, size_t) { found.push_back(code_point_at(text, begin).value); });
  return found;
}

std::string fnv_1a(const std::vector<uint32_t>& points) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const uint32_t point : points) hash = (hash ^ point) * 0x100000001B3u;
  return fmt::format("{:x}", hash);
}

TEST(UnicodeVectors, ClassesHoldWhatTheyHoldInTheLibrary) {
  std::vector<Json> rows = read_lines(data_directory() / "unicode/classes.jsonl");
  const std::vector<uint32_t> points = sampled_points(rows.at(0));
  ASSERT_GE(rows.size(), 200u);
  for (const Json& row : std::span(rows).subspan(1)) {
    const std::vector<uint32_t> found = members(Pattern::regex(row.text("pattern")), points);
    EXPECT_EQ(static_cast<int64_t>(found.size()), row.integer("members")) << row.text("pattern");
    EXPECT_EQ(fnv_1a(found), row.text("hash")) << row.text("pattern");
  }
}

TEST(UnicodeVectors, RemovedMatchesLeaveTheIdsOfTheLibrary) {
  const Json tokenizer = read_lines(data_directory() / "unicode/removed.json").at(0);
  for (const Json& row : read_lines(data_directory() / "unicode/removed.jsonl")) {
    std::string json = tokenizer.dump();
    const std::string placeholder = "\"PATTERN\"";
    json.replace(json.find(placeholder), placeholder.size(), row.at("pattern").dump());
    EXPECT_EQ(Tokenizer::from_text(json, "removed.json").encode(row.text("text"), true), ids_of(row, "ids"))
        << row.text("pattern") << " " << row.at("text").dump();
  }
}

TEST(UnicodeVectors, NormalFormsAreTheLibrarys) {
  const std::vector<Json> rows = read_lines(data_directory() / "unicode/normal_forms.jsonl");
  ASSERT_GE(rows.size(), 200u);
  constexpr std::pair<const char*, NormalForm> kForms[] = {
      {"nfc", NormalForm::nfc}, {"nfd", NormalForm::nfd}, {"nfkc", NormalForm::nfkc}, {"nfkd", NormalForm::nfkd}};
  for (const Json& row : rows)
    for (const auto& [name, form] : kForms)
      EXPECT_EQ(to_normal_form(AlignedText::of_input(row.text("text"), 0), form).text, row.text(name))
          << name << " " << row.at("text").dump();
}

INSTANTIATE_TEST_SUITE_P(Text, TokenizerVectors, ::testing::ValuesIn(tokenizer_names()), testing::word_name);

}  // namespace
}  // namespace eyrie
