#include "base/shown_text.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace eyrie {
namespace {

using namespace std::string_literals;

TEST(ShownText, ControlCharactersAreEscaped) {
  EXPECT_EQ(shown_text("a\0b\x1b[31m\x7f\n\t"s), "a\\x00b\\x1b[31m\\x7f\\x0a\\x09");
  EXPECT_EQ(shown_text("one\n\ttwo\r", true), "one\n\ttwo\\x0d");
  EXPECT_EQ(shown_text("\xc2\x9b"s
                       "1m"),
            "\\xc2\x9b"
            "1m")
      << "no control sequence any more";
  EXPECT_EQ(shown_text("« né » 漢\xc2"), "« né » 漢\xc2") << "nothing else is touched";
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
