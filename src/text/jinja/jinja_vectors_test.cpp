// Every template in tests/data/jinja against what jinja2 made of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "text/jinja/jinja.h"

namespace eyrie {
namespace {

std::tm friday() {
  std::tm now{};
  now.tm_year = 2024 - 1900;
  now.tm_mon = 6;
  now.tm_mday = 26;
  now.tm_hour = 9;
  now.tm_min = 5;
  now.tm_sec = 3;
  timegm(&now);  // sets the days of week and year
  return now;
}

// What the vectors have: {"text", "generation"} or {"error"}.
Json as_vector(const JinjaOutput& output) {
  Json::Members members;
  members.emplace_back("text", Json(output.text));
  Json::Array ranges;
  for (const auto& range : output.generation)
    ranges.emplace_back(Json::Array{static_cast<int64_t>(range.begin), static_cast<int64_t>(range.end)});
  if (!ranges.empty()) members.emplace_back("generation", Json(std::move(ranges)));
  return Json::object(std::move(members));
}

Json rendered(const Json& row) {
  const char* stage = "parse";
  try {
    const JinjaTemplate parsed = JinjaTemplate::parse(row.text("template"), "template");
    stage = "render";
    return as_vector(parsed.render(row.at("variables"), friday()));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), std::string_view(stage) == "parse" ? ErrorKind::file : ErrorKind::input) << error.what();
    EXPECT_EQ(error.place().rfind("template:", 0), 0u) << error.what();
    Json::Members members;
    members.emplace_back("error", Json(stage));
    return Json::object(std::move(members));
  }
}

Json expected_of(const Json& row) {
  Json::Members members;
  for (const char* key : {"text", "generation", "error"})
    if (const Json* value = row.find(key)) members.emplace_back(key, *value);
  return Json::object(std::move(members));
}

TEST(JinjaVectors, AreRenderedAsJinjaDoes) {
  int files = 0, rows = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(EYRIE_SOURCE_DIR) + "/tests/data/jinja")) {
    std::ifstream file(entry.path());
    int64_t number = 0;
    for (std::string line; std::getline(file, line); ++rows) {
      const Json row = Json::parse(line, entry.path().string(), ++number);
      EXPECT_EQ(rendered(row).dump(), expected_of(row).dump())
          << place_of_line(entry.path().filename(), number) << ": " << row.text("template");
    }
    ++files;
  }
  EXPECT_GE(files, 13);
  EXPECT_GE(rows, 500);
}

}  // namespace
}  // namespace eyrie
