#include <gtest/gtest.h>

#include <cmath>

#include "app/report/chart.h"
#include "app/report/report.h"

namespace eyrie {
namespace {

int count(const std::string& text, const std::string& needle) {
  int found = 0;
  for (size_t at = text.find(needle); at != std::string::npos; at = text.find(needle, at + 1)) ++found;
  return found;
}

MetricsPoint point(int64_t step, double loss, size_t depths) {
  MetricsPoint made;
  made.step = step, made.loss = loss, made.tokens = 100, made.seconds = 30;
  made.time = "2026-11-30T16:22:11.123Z";
  for (size_t k = 0; k < depths; ++k) {
    made.depth_loss.push_back(loss + static_cast<double>(k)), made.depth_accuracy.push_back(0.5);
    made.walked.push_back(1.5);
  }
  return made;
}

RunPage sample(size_t depths = 2) {
  RunPage page{.run = "runs/<1>", .metrics = {}, .flags = "seed = 3 # \"three\"", .generated = Generated{}};
  page.metrics.begins = {
      {0, 20, 2, "2026-11-30T16:20:00.000Z", {{"target", "models/tiny & co"}, {"seed", "3"}}},
      {10,
       20,
       2,
       "2026-11-30T17:20:00.000Z",
       {{"machine", "A, 2 threads"}, {"version", "9.9"}, {"target", "models/tiny & co"}, {"seed", "3"}}}};
  for (int64_t step = 1; step <= 20; ++step)
    page.metrics.steps.push_back(point(step, 5 - 0.1 * static_cast<double>(step), depths));
  page.metrics.evaluations = {point(10, 4, depths), point(20, 3, depths)};
  page.metrics.evaluations.back().generated = 1.75;
  Generated& generated = *page.generated;
  generated.prompts = 3, generated.chain = 2, generated.accepted.steps_by_tokens = {0, 1, 2, 5};
  generated.answers = {{"1 < 2?", {{"ye", true}, {"s & <no>", false}}}, {"again?", {{"no\x01", false}}}};
  generated.verdict = "It pays.", generated.figures = {{"speed-up", "1.5 \"x\""}};
  return page;
}

std::string render(const RunPage& page) { return render_page(page, "2026-12-01T00:00:00.000Z"); }

TEST(Page, TextIsEscapedAndDraftTokensAreMarked) {
  const std::string html = render(sample());
  EXPECT_TRUE(html.starts_with(kPageHead));
  EXPECT_EQ(count(html, "<h1>Eyrie: a draft for tiny &amp; co</h1>"), 1);
  EXPECT_EQ(count(html, "1.5 &quot;x&quot;"), 1);
  EXPECT_EQ(count(html, "runs/&lt;1&gt;"), 1);
  EXPECT_EQ(count(html, "seed = 3 # &quot;three&quot;"), 1);
  EXPECT_EQ(count(html, "<mark>ye</mark>s &amp; &lt;no&gt;"), 1);
  EXPECT_EQ(count(html, "no\uFFFD"), 1);
  EXPECT_EQ(count(html, "class=\"answer\""), 2);
}

TEST(Page, IsSelfContained) {
  const std::string html = render(sample());
  for (const char* outside : {"<script", "http:", "https:", "src=", "href=", "url("})
    EXPECT_EQ(count(html, outside), 0) << outside;
}

TEST(Page, TellsWhereTheFiguresComeFrom) {
  const std::string html = render(sample());
  for (const char* fact :
       {"2026-11-30 16:20 UTC", "went on behind step 10", "2026-11-30 17:20 UTC, A, 2 threads, eyrie 9.9",
        "Page of 2026-12-01 00:00 UTC", "finished: 20 of 20 steps", "<td>2000, 10:00</td>", "It pays.",
        "walked held out, chain 2</td><td>1.50<", "generated (3 prompts), chain 2</td><td>2.50<"})
    EXPECT_EQ(count(html, fact), 1) << fact;
  EXPECT_EQ(count(html, "optimizer step</text>"), 4);
  EXPECT_EQ(count(html, "nats"), 4) << "named at the axis, and to who cannot see it";
  EXPECT_EQ(count(html, "class=\"bar\""), 3);
}

TEST(Page, ARunThatIsNotFinishedSaysSo) {
  RunPage page = sample();
  page.metrics.steps.resize(13), page.metrics.unread_lines = 1;
  const std::string html = render(page);
  EXPECT_EQ(count(html, "13 of 20 steps: still going, or broken off after 2026-11-30 17:20 UTC"), 1);
  EXPECT_EQ(count(html, "left out</td><td>1<"), 1);
}

TEST(Page, AnEmptyRunStillRenders) {
  EXPECT_EQ(count(render({}), "No figure yet."), 4);
  RunPage page = sample();
  for (MetricsPoint& step : page.metrics.steps) step.loss = NAN, step.depth_loss = {NAN, NAN}, step.applied = false;
  const std::string html = render(page);
  EXPECT_EQ(count(html, "nan"), 0);
  EXPECT_EQ(count(html, "not applied (not finite)</td><td>20<"), 1);
}

TEST(Chart, EveryCurveIsToldApart) {
  const size_t depths = 17;
  Chart chart{"x", "y", {}};
  for (size_t i = 0; i < depths; ++i) chart.series.push_back({"depth " + std::to_string(i), {{0, 5}, {10, 3}}});
  const std::string svg = curves(chart);
  for (size_t i = 0; i < depths; ++i) {
    EXPECT_EQ(count(svg, "class=\"curve c" + std::to_string(i % 6) + " d" + std::to_string(i % 5) + "\""), 1) << i;
    EXPECT_EQ(count(svg, ">depth " + std::to_string(i) + "</text>"), 1);
  }
}

TEST(Chart, NoLabelLiesOnAnother) {
  Chart chart{"x", "y", {}};
  for (int i = 0; i < 15; ++i) chart.series.push_back({"s", {{0, 1}, {1, i < 8 ? 9 : 0.1}}});
  const std::string svg = curves(chart);
  std::vector<double> heights;
  for (size_t at = svg.find("<path class=\"lead\""); at != std::string::npos;
       at = svg.find("<path class=\"lead\"", at + 1)) {
    const size_t to = svg.find(" L", at);
    heights.push_back(std::stod(svg.substr(svg.find(',', to) + 1)));
  }
  ASSERT_EQ(heights.size(), 15u);
  std::sort(heights.begin(), heights.end());
  for (size_t i = 1; i < heights.size(); ++i) EXPECT_GE(heights[i] - heights[i - 1], 11.9);
  EXPECT_GE(heights.front(), 0);
  EXPECT_LE(heights.back(), 270);
}

TEST(Chart, TicksAreRoundNumbers) {
  const std::string svg = curves({"x", "y", {{"s", {{1, 0.31}, {1400, 0.17}}}}});
  for (const char* tick : {">500<", ">1000<", ">0.0<", ">0.1<", ">0.4<"}) EXPECT_EQ(count(svg, tick), 1) << tick << svg;
  const std::string one = curves({"x", "y", {{"s", {{7, 2}}}}});
  EXPECT_EQ(count(one, "<circle"), 1) << "a curve of one point is a dot";
}

}  // namespace
}  // namespace eyrie
