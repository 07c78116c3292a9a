#include "text/unicode.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <algorithm>

#include "base/error.h"
#include "base/random.h"
#include "text/normal_form.h"
#include "text/unicode_property.h"

namespace eyrie {
namespace {

std::string utf8(std::initializer_list<uint32_t> points) {
  std::string text;
  for (const uint32_t point : points) append_utf8(text, point);
  return text;
}

TEST(Unicode, NamesTheFirstInvalidByte) {
  EXPECT_EQ(first_invalid_byte("a\u00e9\u4e2d\U0001F389"), kAllValid);
  const std::pair<const char*, size_t> cases[] = {
      {"\x80", 0},         {"ab\xff", 2},       {"a\xc0\x80", 1},         {"a\xc1\xbf", 1},
      {"\xe0\x9f\xbf", 0}, {"\xed\xa0\x80", 0}, {"x\xf0\x8f\xbf\xbf", 1}, {"x\xf4\x90\x80\x80", 1},
      {"\xf5", 0},         {"\xe4\xbd", 0},     {"\u00e9\xc3", 2},        {"\xe4\xbd\xa0\xe4\xbd", 3},
  };
  for (const auto& [bytes, offset] : cases) EXPECT_EQ(first_invalid_byte(bytes), offset);
  try {
    check_utf8("ab\xff");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("0xFF at offset 2"), std::string::npos) << error.what();
  }
}

TEST(Unicode, ReplacesEachMaximalInvalidPartOnce) {
  EXPECT_EQ(replace_invalid_utf8("a\xf0\x9f\x8e"), "a\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xf0\x9f\x41"), "\uFFFD\x41");
  EXPECT_EQ(replace_invalid_utf8("\xe0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xc3\xc3\xa9"), "\uFFFD\u00e9");
}

// Cutting a stream at the incomplete suffix gives the replaced text of the whole, wherever the bytes are cut.
TEST(Unicode, IncompleteSuffixCutsWithoutLoss) {
  RandomStream random("incomplete suffix");
  const std::string parts[] = {"a", "\xc3", "\xa9", "\xe4", "\xbd", "\xa0", "\xf0\x9f", "\x8e\x89", "\xff", "\u00e9"};
  for (int round = 0; round < 2000; ++round) {
    std::string whole, held, out;
    for (uint64_t i = random.below(12); i-- > 0;) {
      const std::string& part = parts[random.below(std::size(parts))];
      whole += part;
      held += part;
      const size_t cut = held.size() - incomplete_suffix(held);
      out += replace_invalid_utf8(held.substr(0, cut));
      held.erase(0, cut);
    }
    EXPECT_EQ(out + replace_invalid_utf8(held), replace_invalid_utf8(whole));
  }
}

std::string by_library(const std::string& text, NormalForm form) {
  const int composed = form == NormalForm::nfc || form == NormalForm::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  const int compatible = form == NormalForm::nfkc || form == NormalForm::nfkd ? UTF8PROC_COMPAT : 0;
  utf8proc_uint8_t* out = nullptr;
  const auto bytes =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &out, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | composed | compatible));
  std::string result(reinterpret_cast<char*>(out), static_cast<size_t>(bytes));
  free(out);
  return result;
}

constexpr NormalForm kForms[] = {NormalForm::nfc, NormalForm::nfd, NormalForm::nfkc, NormalForm::nfkd};

// Surrogates, and long runs of ideographs, Hangul, private and unassigned points that are all alike.
bool in_uniform_range(uint32_t point) {
  constexpr std::pair<uint32_t, uint32_t> ranges[] = {{0x3410, 0xA000},   {0xAC40, 0xD790},   {0xD7FC, 0xF900},
                                                      {0x13500, 0x16A00}, {0x17000, 0x1B000}, {0x20000, 0x2F800},
                                                      {0x2FA20, 0x110000}};
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [=](const auto& range) { return point >= range.first && point < range.second; });
}

// Our clusters are the right places to cut: every character behind and before others that it may join. Of what came
// after Unicode 9, and of U+11A7, utf8proc says something else than Hugging Face's library: UnicodeVectors.
TEST(NormalForm, IsTheLibrarysForEveryCharacterBetweenOthers) {
  const uint32_t neighbours[] = {'A', 0x1100, 0xAC00, 0x301, 0x9C7, 0xB47, 0x1025, 0x3131, 0x30AB};
  for (const NormalForm form : kForms) {
    std::string text;
    for (uint32_t point = 0; point < 0x110000; ++point) {
      if (in_uniform_range(point) || is_newer_than_unicode_9(point) || point == 0x11A7) continue;
      for (const uint32_t neighbour : neighbours) text += utf8({neighbour, point});
      if (text.size() < 20000) continue;
      ASSERT_EQ(to_normal_form(AlignedText::of_input(text, 0), form).text, by_library(text, form)) << point;
      text.clear();
    }
  }
}

TEST(NormalForm, IsTheLibrarysForRandomText) {
  RandomStream random("normal forms");
  const uint32_t points[] = {'a',    ' ',    0x301,  0x323,  0x300,  0x327,  0x1100, 0x1161,
                             0x11A8, 0xAC00, 0xFF76, 0xFF9E, 0x212B, 0xFB01, 0x1E9B, 0x4E2D};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (uint64_t i = random.below(24); i-- > 0;) append_utf8(text, points[random.below(std::size(points))]);
    for (const NormalForm form : kForms)
      EXPECT_EQ(to_normal_form(AlignedText::of_input(text, 0), form).text, by_library(text, form));
  }
}

TEST(UnicodeProperty, IsFoundByAnyOfItsNames) {
  for (const char* name : {"Lu", "lu", "Uppercase_Letter", "uppercase letter", "UPPERCASE-LETTER"})
    EXPECT_EQ(unicode_property(name), unicode_property("Lu")) << name;
  EXPECT_TRUE(unicode_property("Lu")->contains('A') && !unicode_property("Lu")->contains('a'));
  EXPECT_EQ(unicode_property("Hani"), unicode_property("Han"));
  EXPECT_EQ(unicode_property("In_Basic_Latin"), CodePointSet::range(0, 0x7F));
  for (const char* name : {"", "Greekish", "Script=Greek", "L&"}) EXPECT_FALSE(unicode_property(name)) << name;
}

TEST(UnicodeProperty, CategoriesShareOutTheCodePoints) {
  CodePointSet all;
  for (const char* name : {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
                           "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"}) {
    const CodePointSet set = unicode_property(name).value();
    EXPECT_TRUE((all & set).empty()) << name;
    all |= set;
  }
  EXPECT_EQ(all, unicode_property("Any"));
}

// Against the membership of each code point.
TEST(CodePointSet, CombinesMemberByMember) {
  RandomStream random("code point sets");
  const auto any = [&] {
    CodePointSet set;
    for (uint64_t i = random.below(6); i-- > 0;) {
      const auto first = static_cast<uint32_t>(random.below(40));
      set |= CodePointSet::range(first, first + static_cast<uint32_t>(random.below(8)));
    }
    return set;
  };
  for (int round = 0; round < 300; ++round) {
    const CodePointSet a = any(), b = any();
    for (uint32_t point = 0; point < 50; ++point) {
      const bool in_a = a.contains(point), in_b = b.contains(point);
      EXPECT_EQ((a | b).contains(point), in_a || in_b);
      EXPECT_EQ((a & b).contains(point), in_a && in_b);
      EXPECT_EQ((a - b).contains(point), in_a && !in_b);
      EXPECT_EQ((a ^ b).contains(point), in_a != in_b);
      EXPECT_EQ((~a).contains(point), !in_a);
    }
    EXPECT_TRUE((a | b).contains(a));
    EXPECT_EQ(a.contains(b), (b - a).empty());
  }
}

TEST(NormalForm, KeepsTheOriginsOfWhatItLeavesAlone) {
  const AlignedText out = to_normal_form(AlignedText::of_input("xe\u0301y\u4e2d", 10), NormalForm::nfc);
  EXPECT_EQ(out.text, "x\u00e9y\u4e2d");
  EXPECT_EQ(out.origin, (std::vector<size_t>{10, 11, 11, 14, 15, 16, 17}));
}

}  // namespace
}  // namespace eyrie
