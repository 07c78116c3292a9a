// Damaged tokenizer.json files: each is read and used, or refused with an Error; nothing else may happen (under the
// sanitizers too: ./run sanitize).
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/random.h"
#include "io/atomic_dir.h"
#include "io/json.h"
#include "text/tokenizer.h"

namespace eyrie {
namespace {

// Reads the file and uses whatever comes of it. True when it was read.
bool use(const std::string& tokenizer_json) {
  try {
    const Tokenizer tokenizer = Tokenizer::from_text(tokenizer_json, "tokenizer.json");
    for (const char* text : {"", " Hello, w\u00f6rld's  42\n\n\u4e2d\u6587 \U0001F469\u200D\U0001F680",
                             "<s>[INST] cafe\u0301<|endoftext|>", "\t \r\n"})
      tokenizer.decode(tokenizer.encode(text, true), true);
    std::vector<int32_t> ids;
    for (int32_t id = -1; id <= tokenizer.vocabulary_size() && id < 700; ++id) ids.push_back(id);
    tokenizer.decode(ids, false);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::string with_bytes_changed(std::string text, RandomStream& random) {
  for (uint64_t changes = 1 + random.below(3); changes-- > 0 && !text.empty();) {
    const size_t at = random.below(text.size());
    switch (random.below(4)) {
      case 0:
        text[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
        break;
      case 2:
        text.erase(at, 1 + random.below(20));
        break;
      default:
        text.insert(at, text.substr(random.below(text.size()), random.below(30)));
    }
  }
  return text;
}

Json odd_value(RandomStream& random) {
  switch (random.below(9)) {
    case 0:
      return Json();
    case 1:
      return Json(true);
    case 2:
      return Json(static_cast<int64_t>(random.next_u64()));
    case 3:
      return Json(static_cast<int64_t>(random.below(700)) - 1);
    case 4:
      return Json(1e300);
    case 5:
      return Json("");
    case 6:
      return Json("\u2581 [\\s(");
    case 7:
      return Json(Json::Array{});
    default:
      return Json::object();
  }
}

// One value somewhere in the tree replaced, removed, doubled or swapped with its neighbour. The place is drawn level by
// level, so the few members that say what kind of tokenizer it is are met as often as the thousands of tokens.
Json with_member_changed(const Json& json, RandomStream& random) {
  const bool leaf = !json.is_array() && !json.is_object();
  if (leaf || random.below(8) == 0) return odd_value(random);
  const auto change = [&](auto& children, auto mutate_child) {
    if (children.empty()) return;
    const size_t at = random.below(children.size());
    const auto place = children.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random.below(10)) {
      case 0:
        children.erase(place);
        break;
      case 1:
        children.insert(place, children[random.below(children.size())]);
        break;
      case 2:
        std::swap(children[at], children[random.below(children.size())]);
        break;
      default:
        mutate_child(children[at]);
    }
  };
  if (json.is_array()) {
    Json::Array items = json.as_array();
    change(items, [&](Json& item) { item = with_member_changed(item, random); });
    return Json(std::move(items));
  }
  Json::Members members = json.as_members();
  change(members, [&](Json::Member& member) { member.second = with_member_changed(member.second, random); });
  return Json::object(std::move(members));
}

TEST(TokenizerMutants, AreReadOrRefused) {
  int files = 0, read = 0, refused = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(EYRIE_SOURCE_DIR) + "/tests/data/tokenizer")) {
    const std::string text = read_file(entry.path() / "tokenizer.json");
    ASSERT_TRUE(use(text)) << entry.path();
    const Json json = Json::parse(text, "tokenizer.json");
    RandomStream random("mutants of " + entry.path().filename().string());
    for (int round = 0; round < 40; ++round) ++(use(with_bytes_changed(text, random)) ? read : refused);
    for (int round = 0; round < 120; ++round) ++(use(with_member_changed(json, random).dump()) ? read : refused);
    for (int round = 0; round < 8; ++round) EXPECT_FALSE(use(text.substr(0, random.below(text.size()))));
    ++files;
  }
  EXPECT_GE(files, 11);
  EXPECT_GT(read, files * 20);  // else the changes are too rough to reach the code behind the reader
  EXPECT_GT(refused, files * 20);
  RecordProperty("read", read);
  RecordProperty("refused", refused);
}

}  // namespace
}  // namespace eyrie
