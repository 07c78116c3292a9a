// What vectors cannot say: bounds, places of errors, what a template mentions, ranges of generated text in captures.
#include "text/jinja/jinja.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "base/error.h"

namespace eyrie {
namespace {

std::string render(const std::string& source, const std::string& variables = "{}") {
  return JinjaTemplate::parse(source, "place").render(Json::parse(variables, "variables"), {}).text;
}

// What the error says, "kind place: message"; empty where there is none.
std::string error_of(const std::string& source, const std::string& variables = "{}") {
  try {
    render(source, variables);
  } catch (const Error& error) {
    return (error.kind() == ErrorKind::file    ? "file "
            : error.kind() == ErrorKind::input ? "input "
                                               : "other ") +
           std::string(error.what());
  }
  return "";
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Jinja, ErrorsSayPlaceAndLine) {
  EXPECT_EQ(error_of("a\n{% for x in %}"), "file place:2: expected a value, found \"%}\"");
  EXPECT_EQ(error_of("\n\n{{ x | nope }}"), "file place:3: a filter that is not known here: \"nope\"");
  EXPECT_EQ(error_of("{% if x is nope %}{% endif %}"), "file place:1: a test that is not known here: \"nope\"");
  EXPECT_EQ(error_of("\n{{ 'a'.encode() }}"), "file place:2: a method that is not known here: \"encode\"");
  EXPECT_EQ(error_of("\n{% include 'x' %}"), "file place:2: a tag that is not known here: \"include\"");
  EXPECT_EQ(error_of("{% block x %}{% endblock %}"), "file place:1: a tag that is not known here: \"block\"");
  EXPECT_EQ(error_of("{{ '\n\n' }}{{ ! }}"), "file place:3: unexpected character '!'");
  EXPECT_EQ(error_of("{{ 9223372036854775808 }}"),
            "file place:1: a whole number that does not fit 64 bits: 9223372036854775808");
  EXPECT_EQ(error_of("a\n{# {{ #}\n{{ 'x\n' }}{{ y.z }}"), "input place:4: 'y' is undefined");
  EXPECT_EQ(error_of("\n{% if true %}\n{{ raise_exception('Only so') }}{% endif %}"), "input place:3: Only so");
  EXPECT_EQ(error_of("{% macro m(x) %}\n{{ x.y.z }}{% endmacro %}\n{{ m({}) }}"),
            "input place:2: 'dict object' has no attribute 'y'");
  EXPECT_EQ(error_of("{{ 1 }}\n{{ [1,\n2] + 3 }}"),
            "input place:2: unsupported operand type(s) for +: 'list' and 'int'");
  EXPECT_EQ(error_of("{{ 'a' ~\n y.z ~\n 'b' }}"), "input place:2: 'y' is undefined");
  EXPECT_EQ(error_of("a\n{{ \xC3( }}"), "file place:2: the template is not UTF-8");
}

TEST(Jinja, WhatChangesAValueIsRefused) {
  EXPECT_EQ(error_of("{{ xs.append(1) }}", R"({"xs": []})"),
            "file place:1: a method that is not known here: \"append\"");
  EXPECT_EQ(error_of("{{ d.update({}) }}", R"({"d": {}})"),
            "file place:1: a method that is not known here: \"update\"");
  EXPECT_EQ(error_of("{{ ''.__class__.__mro__ }}"), "input place:1: 'str object' has no attribute '__class__'");
}

TEST(Jinja, WhatIsNotKnownIsNamedWithItsLineWhenRead) {
  for (const auto& [source, part] : std::vector<std::pair<std::string, std::string>>{
           {"{{ x | e }}", "a filter that is not known here: \"e\""},
           {"{{ x | batch(2) }}", "a filter that is not known here: \"batch\""},
           {"{{ x is callable }}", "a test that is not known here: \"callable\""},
           {"{{ x.center(3) }}", "a method that is not known here: \"center\""},
           {"{% print x %}", "a tag that is not known here: \"print\""},
           {"{% for x in y recursive %}{% endfor %}", "expected \"%}\", found \"recursive\""},
           {"{{ f(*x) }}", "expected a value, found \"*\""},
           {"{{ 1 < 2 < 3 }}", "comparisons in a row are not known here"},
           {"{{ 2 ** 3 }}", "expected a value, found \"*\""},
           {"{% macro m() %}{{ varargs }}{% endmacro %}", "\"varargs\" is not known here"},
           {"{{ '\\101' }}", "an escape in a string that is not known here: \\1"}})
    EXPECT_EQ(error_of("{% if false %}\n" + source + "{% endif %}"), "file place:2: " + part);
}

TEST(Jinja, WhatIsBoundedEndsWithAnError) {
  const auto says = [](const std::string& source, const std::string& part) {
    const std::string error = error_of(source);
    EXPECT_NE(error.find(part), std::string::npos) << source.substr(0, 80) << "\n" << error;
  };
  says("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps");
  says("{% for a in range(2000) %}{{ 'x' * 10000 }}{% endfor %}", "a text of more than 8388608 bytes");
  says("{{ 'x' * 9000000 }}", "bytes");
  says("{{ 'abc' | indent(900000000000) }}", "up to 1000 spaces");
  says("{{ 'a'.replace('', 'x' * 1000000).replace('', 'y' * 1000000).replace('', 'z' * 8000000) }}", "bytes");
  says("{% set s = 'x' * 1000000 %}{{ [s, s, s, s, s, s, s, s, s] | join }}", "bytes");
  says("{{ range(1000000000000) }}", "a range of more than 100000 numbers");
  says("{{ range(-9223372036854775807, 9223372036854775807) }}", "a range");
  says("{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "bytes");
  says("{% set ns = namespace(s=[1, 2]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "items");
  says("{% set ns = namespace(s=[]) %}{% for i in range(999) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}", "deeper");
  says("{% set ns = namespace() %}{% set ns.s = ns %}{{ ns }}", "is not written out");
  says("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls nested deeper than 64");
  says("{% set ns = namespace(x='y') %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
       "steps");
  says(
      "{% set ns = namespace(x='y') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
      "{{ ns.x == [ns.x[0], ns.x[1]] }}",
      "steps");
}

TEST(Jinja, SyntaxIsNestedOnlySoDeep) {
  for (const auto& [open, close] : std::vector<std::pair<std::string, std::string>>{{"(", ")"},
                                                                                    {"[", "]"},
                                                                                    {"{1:", "}"},
                                                                                    {"-", ""},
                                                                                    {"not ", ""},
                                                                                    {"a[", "]"},
                                                                                    {"f(", ")"},
                                                                                    {"1 if 1 else ", ""}}) {
    const auto nested = [&, open = open, close = close](int depth) {
      return "{{ " + repeated(open, depth) + "1" + repeated(close, depth) + " }}";
    };
    EXPECT_NE(error_of(nested(100000)).find("nested deeper than 64"), std::string::npos) << open;
    EXPECT_EQ(error_of(nested(40)).find("file"), std::string::npos) << open;
  }
  for (const char* link : {".a", "[0]", "()", " | list", " is defined", " is eq 1", " if 1"})
    EXPECT_NE(error_of("{{ x" + repeated(link, 100000) + " }}").find("file place:1: "), std::string::npos) << link;
  EXPECT_NE(error_of("{{ 'a' | map(" + repeated("'map', ", 5000) + "'upper') | list }}").find("filters nested deeper"),
            std::string::npos);
  EXPECT_NE(error_of(repeated("{% if 1 %}", 100000)).find("nested deeper"), std::string::npos);
  EXPECT_NE(error_of(repeated("{% for x in y %}", 100000)).find("nested deeper"), std::string::npos);
  EXPECT_NE(error_of(repeated("{% set x %}", 100000)).find("nested deeper"), std::string::npos);
}

// What stands side by side is not nested.
TEST(Jinja, LongTemplatesAreNotDeep) {
  EXPECT_EQ(render("{{ 1" + repeated(" + 1", 5000) + " }}"), "5001");
  EXPECT_EQ(render("{{ 'a'" + repeated(" ~ 'a'", 5000) + " }}").size(), 5001u);
  EXPECT_EQ(render("{{ 0" + repeated(" or 0", 5000) + " or 7 }}"), "7");
  EXPECT_EQ(render("{% if 0 %}" + repeated("{% elif 0 %}", 5000) + "{% else %}x{% endif %}"), "x");
  EXPECT_EQ(render("{{ [" + repeated("1,", 5000) + "] | length }}"), "5000");
  EXPECT_EQ(render(repeated("{{ 1 }}", 5000)).size(), 5000u);
  EXPECT_EQ(render("{% macro m(n) %}{% if n > 1 %}{{ m(n - 1) }}{% endif %}.{% endmacro %}{{ m(64) }}").size(), 64u);
}

TEST(Jinja, OnLongTextsWorkIsLinear) {
  const std::string long_text = repeated("a", 1 << 20);
  const std::string variables = "{\"s\": \"" + long_text + "\", \"p\": \"" + repeated("a", 1 << 19) + "b\"}";
  EXPECT_EQ(render("{{ p in s }} {{ s.rsplit(p) | length }} {{ s.split(p) | length }} {{ s.replace(p, '') | length }}",
                   variables),
            "False 1 1 1048576");
  EXPECT_EQ(render("{{ s | length }}{{ s[-1] }}{{ (s ~ s) | length }}", variables), "1048576a2097152");
  EXPECT_NE(error_of("{% for c in range(9999) %}{{ s[c] }}{{ s | length }}{% endfor %}", variables).find("steps"),
            std::string::npos);
}

TEST(Jinja, MentionsWhatItCouldLookUp) {
  const JinjaTemplate parsed = JinjaTemplate::parse(
      "{% for m in messages %}{% if m.role == 'user' and 'tool_calls' in m %}{{ m['content'] }}"
      "{{ tools | map(attribute='function.name') | list }}{% endif %}{% endfor %}{% set only_set = 1 %}{# comment "
      "#}data",
      "place");
  for (const char* name :
       {"messages", "role", "user", "tool_calls", "content", "tools", "function.name", "function", "name"})
    EXPECT_TRUE(parsed.mentions(name)) << name;
  for (const char* name : {"only_set", "comment", "data", "thinking", "", "length"})
    EXPECT_FALSE(parsed.mentions(name)) << name;
}

TEST(Jinja, RangesOfCapturedTextAreDropped) {
  const auto ranges = [](const char* source) {
    std::string found;
    const JinjaOutput output = JinjaTemplate::parse(source, "place").render(Json::object(), {});
    for (const auto& range : output.generation) found += output.text.substr(range.begin, range.end - range.begin) + ";";
    return found;
  };
  EXPECT_EQ(ranges("a{% generation %}b{% endgeneration %}c{% generation %}d{% endgeneration %}"), "b;d;");
  EXPECT_EQ(ranges("{% set x %}{% generation %}b{% endgeneration %}{% endset %}{{ x }}{{ x }}"), "");
  EXPECT_EQ(ranges("{% macro m() %}{% generation %}b{% endgeneration %}{% endmacro %}{{ m() }}"), "");
  EXPECT_EQ(ranges("{% macro m() %}{% generation %}b{% endgeneration %}{% endmacro %}"
                   "{% generation %}<{{ m() }}>{% endgeneration %}"),
            "<b>;");
  EXPECT_EQ(ranges("{% filter upper %}{% generation %}b{% endgeneration %}{% endfilter %}"
                   "{% generation %}c{% endgeneration %}"),
            "c;");
}

TEST(Jinja, TemplatesAreSharedBetweenThreads) {
  const JinjaTemplate parsed = JinjaTemplate::parse(
      "{% set ns = namespace(n=0) %}{% for x in xs %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}{{ 'é' ~ xs }}",
      "place");
  std::vector<std::string> found(4);
  std::vector<std::thread> threads;
  for (std::string& text : found)
    threads.emplace_back([&text, copy = parsed] {
      for (int i = 0; i < 50; ++i) text = copy.render(Json::parse(R"({"xs": [1, 2, 3]})", "variables"), {}).text;
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : found) EXPECT_EQ(text, "6é[1, 2, 3]");
}

TEST(Jinja, VariablesStandBeforeFunctions) {
  EXPECT_EQ(render("{{ range }} {{ namespace is defined }}", R"({"range": 5})"), "5 True");
  EXPECT_EQ(render("{{ a }} {{ b }} {{ c }}", R"({"a": null, "b": [1.0, -0.5e-7], "c": {"k": false}})"),
            "None [1.0, -5e-08] {'k': False}");
}

}  // namespace
}  // namespace eyrie
