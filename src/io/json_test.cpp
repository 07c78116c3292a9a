#include "io/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace eyrie {
namespace {

std::string error_of(auto action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Json, ReadsAndWritesInOrder) {
  const std::string text = R"({"b":[1,-2,3.5,null,true],"a":{"x":"é\n"},"big":9223372036854775807})";
  EXPECT_EQ(Json::parse(text, "t").dump(), text);
}

TEST(Json, ErrorsSayPlaceLineKeyExpectedFound) {
  const Json json = Json::parse(R"({"size": "8", "deep": {"heads": 70000}})", "config.json");
  EXPECT_EQ(error_of([&] { json.integer("size"); }), "config.json: size: expected an integer, found \"8\"");
  EXPECT_EQ(error_of([&] { json.integer("none"); }), "config.json: missing key \"none\"");
  EXPECT_EQ(error_of([&] { json.at("deep").integer("heads", 1, 65536); }),
            "config.json: heads: expected an integer from 1 to 65536, found 70000");
  EXPECT_NE(error_of([] { Json::parse("{\"a\": 1,\n\n \"b\": }", "f.jsonl", 10); }).find("f.jsonl:12: malformed JSON"),
            std::string::npos);
}

TEST(Json, RefusesWhatWouldBeReadWrongly) {
  EXPECT_NE(error_of([] { Json::parse(std::string(100000, '['), "t"); }).find("deeper than 64"), std::string::npos);
  EXPECT_NE(error_of([] { Json::parse("{\"a\":1,\"a\":2}", "t"); }).find("stands twice"), std::string::npos);
  // Beyond 64 bits: no trouble to who does not ask, no integer to who does.
  for (const char* text : {"[18446744073709551615]", "[-99999999999999999999]", "[1000000000000000019884624838656]"}) {
    const Json huge = Json::parse(text, "t").as_array()[0];
    EXPECT_NE(error_of([&] { huge.as_integer(); }).find("expected an integer, found "), std::string::npos) << text;
    EXPECT_GT(std::abs(huge.as_number()), 9e18);
  }
  EXPECT_NE(error_of([] { Json::parse("\"\xff\"", "t"); }).find("malformed"), std::string::npos);
  EXPECT_NE(error_of([] { Json::parse("", "t"); }).find("malformed"), std::string::npos);
}

// Python's json writes these. They are no trouble to who does not ask for them.
TEST(Json, NumbersThatOnlyPythonHas) {
  const std::string digits(400, '9');
  const Json json = Json::parse(
      "{\"a\": NaN, \"b\": [-Infinity, 1e0, Infinity, \"NaN, \\\" Infinity\", 1e999, -" + digits + "],\n\"c\": 1e00}",
      "config.json");
  EXPECT_TRUE(std::isnan(json.at("a").as_number()));
  const double infinity = std::numeric_limits<double>::infinity();
  const Json::Array& list = json.array("b");
  EXPECT_EQ(list[0].as_number(), -infinity);
  EXPECT_EQ(list[1].as_number(), 1);
  EXPECT_EQ(list[2].as_number(), infinity);
  EXPECT_EQ(list[3].as_text(), "NaN, \" Infinity");
  EXPECT_EQ(list[4].as_number(), infinity);
  EXPECT_EQ(list[5].as_number(), -infinity);
  EXPECT_EQ(json.number("c"), 1);
  EXPECT_EQ(error_of([&] { json.number("a"); }), "config.json: a: expected a finite number, found nan");
  EXPECT_EQ(error_of([&] { json.integer("a"); }), "config.json: a: expected an integer, found nan");
  EXPECT_EQ(Json::parse("[NaN]", "t").dump(), "[null]");
}

TEST(Json, WhatIsMalformedStaysSo) {
  for (const char* text : {"[nan]", "[NaNNaN]", "[-NaN]", "[+Infinity]", "[01e999]", "[1.e999]", "[-e999]", "[1e999e]",
                           "[NaN", "{NaN: 1}", "\"NaN", "[.1e999]"})
    EXPECT_NE(error_of([&] { Json::parse(text, "t"); }).find("t:1: malformed JSON"), std::string::npos) << text;
  EXPECT_NE(error_of([] { Json::parse("[NaN,\n01]", "t"); }).find("t:2: malformed"), std::string::npos);
}

TEST(Json, AFileThatIsAnotherIsNamed) {
  EXPECT_EQ(error_of([] { Json::parse("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n", "t"); }),
            "t: is a Git LFS pointer: git lfs pull brings the file");
  EXPECT_EQ(error_of([] { Json::parse("\n<!DOCTYPE html><html></html>", "t"); }),
            "t: is a web page, not the file: what was downloaded is the answer of a server that did not give it");
}

}  // namespace
}  // namespace eyrie
