#include "base/shown_text.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace eyrie {
namespace {

using namespace std::string_literals;

TEST(ShownText, ControlCharactersAreEscaped) {
  EXPECT_EQ(shown_text("a\0b\x1b[31m\x7f\n\t"s), "a\\x00b\\x1b[31m\\x7f\\x0a\\x09");
  EXPECT_EQ(shown_text("one\n\ttwo\r", true), "one\n\ttwo\\x0d");
  EXPECT_EQ(shown_text("no\xc2\x9b"
                       "31m"),
            "no\\xc2\\x9b31m")
      << "a control sequence of one character";
  EXPECT_EQ(shown_text("« né » 漢 👩\xe2\x80\x8d🚀"), "« né » 漢 👩\xe2\x80\x8d🚀") << "nothing else is touched";
  EXPECT_EQ(shown_text("a\xe2\x80\xae"
                       "b\xef\xbb\xbf"),
            "a\\xe2\\x80\\xaeb\\xef\\xbb\\xbf")
      << "right to left, a mark of the byte order";
  for (const char* broken : {"\x85", "\xff", "\xc2", "\xe2\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80"}) {
    const std::string shown = shown_text("é"s + broken + "é");
    EXPECT_EQ(shown.substr(0, 6), "é\\x"s + shown.substr(4, 2)) << shown;
    EXPECT_EQ(shown.size(), 4 + 4 * std::string_view(broken).size()) << shown << ": no UTF-8";
  }
  EXPECT_EQ(shown_text(shown_text("\x1b")), shown_text("\x1b"));
}

TEST(ShownText, AStagingIsCalledWhatItBecomes) {
  EXPECT_EQ(shown_text("out.tmp-eyrie-a1B2c3/new/model.safetensors: full"), "out/model.safetensors: full");
  EXPECT_EQ(shown_text("out.tmp-eyrie-a1B2c3/old, out.tmp-eyrie-"), "out.tmp-eyrie-a1B2c3/old, out.tmp-eyrie-");
}

TEST(ShownText, AnErrorIsShownWhole) {
  EXPECT_STREQ(Error(ErrorKind::file, "f\x1b", "tensor a\0b: misplaced"s).what(), "f\\x1b: tensor a\\x00b: misplaced");
}

}  // namespace
}  // namespace eyrie
