#include "speculative/stop_text.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace eyrie {
namespace {

struct Outcome {
  std::string text;
  bool found;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// The rule word for word: the first end of a stop string ends the text before that string, the longest at that byte.
Outcome by_rule(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops)
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    if (longest) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

TEST(StopText, DoesNotDependOnTheCutAndStreamsNothingOfAStopString) {
  RandomStream stream("stop text");
  auto random_text = [&](uint64_t length) {
    std::string text;
    for (uint64_t i = 0; i < length; ++i) text += static_cast<char>('a' + stream.below(2));
    return text;
  };
  for (int round = 0; round < 4000; ++round) {
    std::vector<std::string> stops(stream.below(4));
    for (std::string& stop : stops) stop = random_text(1 + stream.below(5));
    const std::string text = random_text(stream.below(16));
    StopText found(stops);
    std::string streamed;
    for (size_t at = 0; at < text.size() && !found.found();) {
      const size_t length = std::min<size_t>(1 + stream.below(4), text.size() - at);
      streamed += found.push(text.substr(at, length));
      at += length;
    }
    streamed += found.finish();
    ASSERT_EQ((Outcome{streamed, found.found()}), by_rule(text, stops)) << text;
  }
}

TEST(StopText, HoldsBackOnlyWhatMayBecomeAStopString) {
  StopText text({"\n\nQ:"});
  EXPECT_EQ(text.push("one\n"), "one");
  EXPECT_EQ(text.push("two\n\n"), "\ntwo");
  EXPECT_EQ(text.push("\nQ"), "\n");
  EXPECT_EQ(text.push(": more"), "");
  EXPECT_TRUE(text.found());
  EXPECT_THROW(StopText({""}), Error);
}

}  // namespace
}  // namespace eyrie
