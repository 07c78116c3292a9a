// Damaged templates: each renders or is refused with an Error, within bounds (under the sanitizers too: ./run
// sanitize).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/random.h"
#include "text/jinja/jinja.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

std::vector<Json> committed_templates() {
  std::vector<Json> rows;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(EYRIE_SOURCE_DIR) + "/tests/data/jinja"))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) rows.push_back(Json::parse(line, path.string()));
  }
  return rows;
}

bool renders(const std::string& source, const Json& variables) {
  try {
    const JinjaOutput output = JinjaTemplate::parse(source, "mutant").render(variables, {});
    EXPECT_EQ(first_invalid_byte(output.text), kAllValid) << source;
    size_t behind = 0;
    for (const auto& range : output.generation) {
      EXPECT_LE(behind, range.begin) << source;
      EXPECT_LT(range.begin, range.end) << source;
      EXPECT_LE(range.end, output.text.size()) << source;
      behind = range.end;
    }
    return true;
  } catch (const Error& error) {
    EXPECT_TRUE(error.kind() == ErrorKind::file || error.kind() == ErrorKind::input) << source << error.what();
    return false;
  }
}

void change_bytes(std::string& text, RandomStream& random) {
  const size_t at = random.below(text.size());
  switch (random.below(4)) {
    case 0:
      text[at] = static_cast<char>(random.below(256));
      break;
    case 1:
      text.erase(at, 1 + random.below(8));
      break;
    case 2:
      text.insert(at, text.substr(random.below(text.size()), random.below(30)));
      break;
    default:
      text[at] = "{}%#-+()[]'\"|.,:~="[random.below(18)];
  }
}

// Words, signs and tags where they do not belong, and parts of another template.
void change_tokens(std::string& text, const std::string& other, RandomStream& random) {
  static constexpr const char* kPieces[] = {
      "{{",         "}}",          "{%",       "%}",        "{#",       "#}",           "{%- ",       " -%}",
      "if ",        " else ",      "for ",     " in ",      "set ",     "macro ",       "call ",      "endfor",
      "endif",      "endmacro",    "loop",     "loop.last", "not ",     " is ",         "none",       "missing",
      "9",          "-1",          "0",        "1e308",     "'é'",      "[]",           "{}",         "()",
      " ~ ",        " // ",        " ** ",     " % ",       "|sort",    "|list",        "|join",      "|map('upper')",
      "[::]",       "[:-1]",       "[::0]",    ".x",        ".items",   ".items()",     ".split('')", "range(9)",
      "namespace(", " recursive ", "*",        "**",        "=",        "break",        "raw",        "endraw",
      "generation", "filter ",     "caller()", "varargs",   "\n",       "  ",           "\\",         "9999999",
      "* 99999",    "|batch(9)",   "|tojson",  "|string",   "with a=1", "|groupby('a')"};
  const size_t at = random.below(text.size() + 1);
  switch (random.below(4)) {
    case 0:
      text = text.substr(0, at) + other.substr(random.below(other.size() + 1));
      break;
    case 1:
      text.replace(at, random.below(6), kPieces[random.below(std::size(kPieces))]);
      break;
    default:
      text.insert(at, kPieces[random.below(std::size(kPieces))]);
  }
}

TEST(JinjaMutants, RenderOrAreRefused) {
  const std::vector<Json> rows = committed_templates();
  ASSERT_GE(rows.size(), 500u);
  RandomStream random("mutants of jinja templates");
  int rendered = 0, refused = 0;
  for (const Json& row : rows) {
    for (int round = 0; round < 12; ++round) {
      std::string text = row.text("template");
      for (uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
        if (text.empty() || random.below(2) == 0)
          change_tokens(text, rows[random.below(rows.size())].text("template"), random);
        else
          change_bytes(text, random);
      }
      ++(renders(text, row.at("variables")) ? rendered : refused);
    }
  }
  EXPECT_GT(rendered, 1000);  // else the changes are too rough to reach the code behind the parser
  EXPECT_GT(refused, 1000);
  RecordProperty("rendered", rendered);
  RecordProperty("refused", refused);
}

}  // namespace
}  // namespace eyrie
