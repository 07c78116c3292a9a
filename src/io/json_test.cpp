#include "io/json.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace eyrie
