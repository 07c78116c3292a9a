#include "app/report.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

Report sample() {
  return {"Demo <1>",
          "two & three",
          {{"speed-up", "1.5 \"x\""}},
          {{0, {4, 5}}, {10, {2, 3}}},
          {{0, {0.1, 0.05}}, {10, {0.9, 0.5}}},
          {1, 2, 5},
          "1 < 2?",
          {{"ye", true}, {"s & <no>", false}}};
}

TEST(Report, TextIsEscapedAndDraftTokensAreMarked) {
  const std::string html = render_report(sample());
  EXPECT_NE(html.find("<h1>Demo &lt;1&gt;</h1>"), std::string::npos);
  EXPECT_NE(html.find("1.5 &quot;x&quot;"), std::string::npos);
  EXPECT_NE(html.find("<mark>ye</mark>s &amp; &lt;no&gt;"), std::string::npos);
}

TEST(Report, IsSelfContained) {
  const std::string html = render_report(sample());
  for (const char* outside : {"<script", "http:", "https:", "src=", "href=", "url("})
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
}

TEST(Report, DrawsOneCurvePerDepthAndOneBarPerLength) {
  const std::string html = render_report(sample());
  const auto count = [&](const std::string& needle) {
    int found = 0;
    for (size_t at = html.find(needle); at != std::string::npos; at = html.find(needle, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("class=\"curve\""), 4);
  EXPECT_EQ(count("class=\"bar\""), 3);
}

TEST(Report, AnEmptyRunStillRenders) { EXPECT_NE(render_report({}).find("no data"), std::string::npos); }

}  // namespace
}  // namespace eyrie
