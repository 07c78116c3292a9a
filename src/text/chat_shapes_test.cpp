// Templates in the shapes of public model families, against what python3's jinja2 renders of them
// (tests/data/README.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "io/atomic_dir.h"
#include "testing/test_names.h"
#include "text/jinja/jinja.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

const fs::path kShapes = EYRIE_SOURCE_DIR "/tests/data/chat_templates";

// The vectors' instant: 30 November 2026, 12:00:00, a Monday.
std::tm vector_time() {
  std::tm time = {};
  time.tm_year = 126, time.tm_mon = 10, time.tm_mday = 30, time.tm_hour = 12, time.tm_wday = 1, time.tm_yday = 333;
  return time;
}

std::vector<std::string> shapes() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kShapes))
    if (entry.path().extension() == ".jinja") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

Json variables_of(const Json& row) {
  Json variables = row.find("variables") ? row.at("variables") : Json::object({});
  for (const char* key : {"messages", "tools", "documents", "add_generation_prompt"})
    variables.set(key, row.find(key) ? row.at(key) : Json());
  return variables;
}

Json ranges_of(const JinjaOutput& output) {
  Json::Array ranges;
  for (const auto& [begin, end] : output.generation)
    ranges.emplace_back(Json::Array{static_cast<int64_t>(begin), static_cast<int64_t>(end)});
  return ranges;
}

class ChatShapes : public ::testing::TestWithParam<std::string> {};

TEST_P(ChatShapes, RenderAsInPython) {
  const std::string path = (kShapes / (GetParam() + ".jinja")).string();
  const JinjaTemplate shape = JinjaTemplate::parse(read_file(path), path);
  std::ifstream file(kShapes / (GetParam() + ".jsonl"));
  int compared = 0;
  for (std::string line; std::getline(file, line); ++compared) {
    const Json row = Json::parse(line, GetParam());
    const auto render = [&] { return shape.render(variables_of(row), vector_time()); };
    if (row.find("error")) {
      EXPECT_THROW(render(), Error) << line;
      continue;
    }
    const JinjaOutput output = render();
    EXPECT_EQ(output.text, row.text("text")) << line;
    const Json expected = row.find("generation") ? row.at("generation") : Json(Json::Array{});
    EXPECT_EQ(ranges_of(output).dump(), expected.dump()) << line;
  }
  EXPECT_GE(compared, 15);
}

INSTANTIATE_TEST_SUITE_P(Text, ChatShapes, ::testing::ValuesIn(shapes()), testing::word_name);

}  // namespace
}  // namespace eyrie
