#include "text/regex.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace eyrie {
namespace {

std::string matches(const Pattern& pattern, std::string_view text) {
  std::string out;
  pattern.for_each_match(text,
                         [&](size_t begin, size_t end) { out.append("|").append(text.substr(begin, end - begin)); });
  return out;
}

std::string matches(std::string_view pattern, std::string_view text) { return matches(Pattern::regex(pattern), text); }

TEST(Regex, WhiteSpaceIsUnicodesNotPcre2s) {
  EXPECT_EQ(matches(R"(\s)", "a\u180Eb\u0085c\u00A0d\u3000e"), "|\u0085|\u00A0|\u3000");
  EXPECT_EQ(matches(R"([\s])", "\u180E\u2028\u001c"), "|\u2028");
  EXPECT_EQ(matches(R"(\S+)", "a\u180Eb\u0085c"), "|a\u180Eb|c");
  EXPECT_EQ(matches(R"([\S]+)", "a\u180Eb\u0085c"), "|a\u180Eb|c");
  EXPECT_EQ(matches(R"([^\S]+)", "a\u180Eb \t"), "| \t");
}

TEST(Regex, WordsTakeMarksAndConnectors) {
  EXPECT_EQ(matches(R"(\w+)", "a\u0301b\u203Fc\u24B6-d"), "|a\u0301b\u203Fc\u24B6|d");
  EXPECT_EQ(matches(R"(\W+)", "a\u0301-b"), "|-");
  EXPECT_EQ(matches(R"(\bb)", "a\u0301b b"), "|b");
  EXPECT_EQ(matches(R"(\Bb)", "a\u0301b b"), "|b");
}

TEST(Regex, RubysLettersAndRepetitions) {
  EXPECT_EQ(matches(R"(\h+)", "xBEEF 12g"), "|BEEF|12");
  EXPECT_EQ(matches(R"(\v)", "\n\x0b\x85"), "|\x0b");
  EXPECT_EQ(matches(R"(\u00e9)", "\u00e9"), "|\u00e9");
  EXPECT_EQ(matches("a{,2}b", "aaab"), "|aab");
  EXPECT_EQ(matches("a{1,3}+a", "aaaa"), "|aaaa");  // not possessive: gives one back
  EXPECT_EQ(matches("x(?:a|[b)]){2}+c", "xabc xab)ac xabac"), "|xabc|xab)ac");
  EXPECT_EQ(matches("a?+a", "a"), "");  // possessive
  EXPECT_EQ(matches("(?m:.)", "\n"), "|\n");
  EXPECT_EQ(matches(".", "\n"), "");
  EXPECT_EQ(matches("^b$", "a\nb\nc"), "|b");
  EXPECT_EQ(matches(R"([\p{L}]{2}|\p{N}{1,2}+)", "ab1234"), "|ab|1234");
}

TEST(Regex, ClassesHoldClassesAndMeet) {
  EXPECT_EQ(matches("[a[bc]]+", "xabcx"), "|abc");
  EXPECT_EQ(matches("[a-w&&[^c-g]z]+", "abchwz"), "|ab|hw");
  EXPECT_EQ(matches("[^a-c&&b-d]+", "abcd"), "|a|d");
  EXPECT_EQ(matches(R"([\w&&[^\d_]]+)", "ab1_\u00e9"), "|ab|\u00e9");
  EXPECT_EQ(matches("[[:alpha:][:^ascii:]]+", "a1\u00b2"), "|a|\u00b2");
  EXPECT_EQ(matches("[]a]+", "x]a"), "|]a");
  EXPECT_EQ(matches("[a-c-e]+", "a-ed"), "|a-e");
  EXPECT_EQ(matches("[&a]&", "&&a&"), "|&&|a&");
  EXPECT_EQ(matches(R"([\W]+)", "a.-b"), "|.-");
  EXPECT_EQ(matches("[a&&b]", "ab"), "");
  EXPECT_EQ(matches(R"([\x{0}-\x{10FFFF}])", "a"), "|a");
}

TEST(Regex, OptionsReachWhereTheyReachInRuby) {
  EXPECT_EQ(matches("ab(?i)c|de", "abC de abDE"), "|abC|abDE");
  EXPECT_EQ(matches("a(?:b(?i)c|d)e", "aDe ade abCe abCE"), "|abCe");
  EXPECT_EQ(matches(R"((?i:\p{Lu})b)", "ab Ab aB AB"), "|Ab");
  EXPECT_EQ(matches(R"((?i)[\p{Lu}]b)", "ab AB 1b"), "|ab|AB");
  EXPECT_EQ(matches("(?i)[^a-z]", "aK\u212a1"), "|1");
}

TEST(Regex, CaseAndLookahead) {
  EXPECT_EQ(matches("(?i:'s|'ll)", "'S 'lL '\u017F"), "|'S|'lL|'\u017F");
  EXPECT_EQ(matches(R"(\s+(?!\S)|\s+)", "a   b"), "|  | ");
}

TEST(Regex, PublishedPatternsMeanWhatTheyMean) {
  const std::string contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
  const std::string o200k = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)" +
                            contraction +
                            R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)" +
                            contraction + R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  EXPECT_EQ(matches(o200k, "camelCase it'LL 12345 a/\n  b"), "|camel|Case| it'LL| |123|45| a|/\n| | b");
  const std::string_view deepseek =
      R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  EXPECT_EQ(matches(deepseek, "[ab] x\u0301y, ]\n"), "|[ab|]| x\u0301y|,| ]\n");
}

TEST(Regex, EmptyMatchesAreReportedOnceEach) {
  EXPECT_EQ(matches("x*", "axb"), "||x|");  // before a; x; at the end (not again behind x)
  EXPECT_EQ(matches("", "\u00e9\u00e9"), "|||");
  EXPECT_EQ(matches("x*", ""), "");
}

TEST(Regex, WhatPcre2WouldReadOtherwiseIsRefused) {
  for (const char* pattern : {R"(\K)",
                              R"(\X)",
                              R"(\Qa\E)",
                              "[a",
                              "(",
                              R"(\)",
                              R"(\u12)",
                              "[[:alpha:",
                              "[[:letters:]]",
                              "[]",
                              "[z-a]",
                              R"([a-\d])",
                              R"([\d-z])",
                              R"(\pL)",
                              R"([\p{L])",
                              R"(\p{Greekish})",
                              R"(\p{Script=Greek})",
                              R"(\xE9)",
                              R"([\xE9])",
                              R"([\x{110000}])",
                              R"([\x{61 62}])",
                              R"([\x{D800}])",
                              "[a[b]"})
    EXPECT_THROW(Pattern::regex(pattern), Error) << pattern;
  EXPECT_THROW(Pattern::regex(std::string(100, '[') + "a" + std::string(100, ']')), Error);
  EXPECT_THROW(Pattern::literal(""), Error);
}

TEST(Regex, RunsIntoItsLimitInsteadOfForEver) { EXPECT_THROW(matches("(a|aa)+$", std::string(60, 'a') + "b"), Error); }

TEST(Regex, LongRunsAreNoLimit) {
  constexpr std::string_view qwen = R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
  const std::string spaces(1 << 20, ' ');
  EXPECT_EQ(matches(qwen, spaces).size(), spaces.size() + 1);
  EXPECT_EQ(matches(qwen, spaces + "x").size(), spaces.size() + 2);
}

TEST(Regex, LiteralsDoNotOverlap) { EXPECT_EQ(matches(Pattern::literal("aa"), "aaaaa"), "|aa|aa"); }

}  // namespace
}  // namespace eyrie
