#include "app/report/chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace eyrie {
namespace {

constexpr double kWidth = 470, kHeight = 270, kLeft = 52, kRight = 76, kTop = 12, kBottom = 44;
constexpr double kPlotRight = kWidth - kRight, kPlotBottom = kHeight - kBottom, kLabelHeight = 12;
constexpr size_t kColours = 6, kDashes = 5;  // 30 pairs
constexpr std::string_view kNoData = "<p class=\"note\">No figure yet.</p>";

// Values to pixels, with ticks on round numbers.
struct Axis {
  double least, most, begin, end, step;

  double pixel(double value) const { return begin + (end - begin) * (value - least) / (most - least); }
  std::vector<double> ticks() const {
    std::vector<double> found;
    for (auto i = static_cast<int64_t>(std::ceil(least / step - 1e-9));
         static_cast<double>(i) * step <= most + step / 1e6; ++i)
      found.push_back(static_cast<double>(i) * step);
    return found;
  }
  std::string text(double value) const {
    return fmt::format("{:.{}f}", value, std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9))));
  }
};

// 1, 2 or 5 times a power of ten: about `count` of them make `range`.
double round_step(double range, int count) {
  const double raw = range / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power * (1 + 1e-9)) return factor * power;
  return 10 * power;
}

Axis x_axis(double least, double most) {
  if (most <= least) least -= 1, most += 1;
  return {least, most, kLeft, kPlotRight, std::max(round_step(most - least, 5), 1.0)};
}

Axis y_axis(double least, double most) {
  if (most <= least) most = least + 1;
  const double step = round_step(most - least, 5);
  return {least, least + std::ceil((most - least) / step - 1e-9) * step, kPlotBottom, kTop, step};
}

std::string y_grid(const Axis& y, double right) {
  std::string svg;
  for (const double tick : y.ticks()) {
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, right,
                       y.pixel(tick), y.pixel(tick));
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 6, y.pixel(tick) + 4,
                       y.text(tick));
  }
  return svg;
}

std::string tick_label(double x, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", x, kPlotBottom + 16, text);
}

std::string frame(std::string_view x_name, std::string_view y_name, double right, const std::string& body) {
  const double middle = (kTop + kPlotBottom) / 2;
  return fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} by {}\">{}"
      "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>"
      "<text class=\"axis\" transform=\"translate(12 {}) rotate(-90)\" text-anchor=\"middle\">{}</text></svg>",
      kWidth, kHeight, escape_html(y_name), escape_html(x_name), body, (kLeft + right) / 2, kHeight - 8,
      escape_html(x_name), middle, escape_html(y_name));
}

std::string curve(const Series& series, size_t index, const Axis& x, const Axis& y) {
  std::string path, dots;
  for (const auto& [at, value] : series.points) {
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "M" : " L", x.pixel(at), y.pixel(value));
    if (series.dots || series.points.size() == 1)
      dots += fmt::format("<circle class=\"dot c{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", index % kColours,
                          x.pixel(at), y.pixel(value));
  }
  return fmt::format("<path class=\"curve c{} d{}\" d=\"{}\"/>{}", index % kColours, index % kDashes, path, dots);
}

struct Label {
  size_t series;
  double end, y;  // of its curve; its own
};

// Where the curves end, pushed apart until none lies on another.
std::vector<Label> place_labels(const Chart& chart, const Axis& y) {
  std::vector<Label> labels;
  for (size_t i = 0; i < chart.series.size(); ++i)
    if (const auto& points = chart.series[i].points; !points.empty())
      labels.push_back({i, y.pixel(points.back().second), y.pixel(points.back().second)});
  std::stable_sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.end < b.end; });
  for (size_t i = 1; i < labels.size(); ++i) labels[i].y = std::max(labels[i].y, labels[i - 1].y + kLabelHeight);
  double lowest = kPlotBottom;
  for (auto label = labels.rbegin(); label != labels.rend(); ++label, lowest -= kLabelHeight)
    label->y = std::min(label->y, lowest);
  return labels;
}

std::string end_label(const Chart& chart, const Label& label, const Axis& x) {
  const Series& series = chart.series[label.series];
  return fmt::format(
      "<path class=\"lead\" d=\"M{:.1f},{:.1f} L{},{:.1f}\"/><text class=\"c{}\" x=\"{}\" y=\"{:.1f}\">{}</text>",
      x.pixel(series.points.back().first), label.end, kPlotRight + 10, label.y, label.series % kColours,
      kPlotRight + 13, label.y + 4, escape_html(series.label));
}

}  // namespace

std::string curves(const Chart& chart) {
  std::vector<double> steps, values;
  for (const Series& series : chart.series)
    for (const auto& [at, value] : series.points) steps.push_back(at), values.push_back(value);
  if (steps.empty()) return std::string(kNoData);
  const Axis x = x_axis(*std::min_element(steps.begin(), steps.end()), *std::max_element(steps.begin(), steps.end()));
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const Axis y = y_axis(std::min(chart.least_y, std::floor(*least)), *most);
  std::string body = y_grid(y, kPlotRight);
  for (const double tick : x.ticks()) body += tick_label(x.pixel(tick), x.text(tick));
  for (size_t i = chart.series.size(); i-- > 0;)
    if (!chart.series[i].points.empty()) body += curve(chart.series[i], i, x, y);
  for (const Label& label : place_labels(chart, y)) body += end_label(chart, label, x);
  return frame(chart.x_name, chart.y_name, kPlotRight, body);
}

std::string bars(std::string_view x_name, std::string_view y_name, const std::vector<int64_t>& counts) {
  double total = 0, most = 0;
  for (const int64_t count : counts)
    total += static_cast<double>(count), most = std::max(most, static_cast<double>(count));
  if (total <= 0) return std::string(kNoData);
  const double right = kWidth - 8, step = (right - kLeft) / static_cast<double>(counts.size());
  const Axis y = y_axis(0, 100 * most / total);
  std::string body = y_grid(y, right);
  for (size_t i = 0; i < counts.size(); ++i) {
    const double top = y.pixel(100 * static_cast<double>(counts[i]) / total), x = kLeft + step * static_cast<double>(i);
    body += fmt::format("<rect class=\"bar\" rx=\"3\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
                        x + step * 0.12, top, step * 0.76, kPlotBottom - top);
    body += tick_label(x + step / 2, std::to_string(i + 1));
  }
  return frame(x_name, y_name, right, body);
}

// The colours keep 3:1 on either card, and differ in lightness beside the hue.
std::string_view chart_style() {
  return R"(
:root { --c0: #0b5fa5; --c1: #c4490a; --c2: #00785a; --c3: #a63d82; --c4: #8a6100; --c5: #1b2430; }
@media (prefers-color-scheme: dark) { :root { --c0: #6fb8ef; --c1: #f28c4b; --c2: #35c39a; --c3: #e08fc0; --c4: #e6c04a;
  --c5: #e8ebef; } }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); } .lead { stroke: var(--line); fill: none; } .bar { fill: var(--c0); }
.curve { fill: none; stroke-width: 1.7; stroke-linejoin: round; }
.curve.c0 { stroke: var(--c0); } .curve.c1 { stroke: var(--c1); } .curve.c2 { stroke: var(--c2); }
.curve.c3 { stroke: var(--c3); } .curve.c4 { stroke: var(--c4); } .curve.c5 { stroke: var(--c5); }
svg .c0 { fill: var(--c0); } svg .c1 { fill: var(--c1); } svg .c2 { fill: var(--c2); } svg .c3 { fill: var(--c3); }
svg .c4 { fill: var(--c4); } svg .c5 { fill: var(--c5); } svg .curve { fill: none; }
.d1 { stroke-dasharray: 7 3; } .d2 { stroke-dasharray: 2 3; } .d3 { stroke-dasharray: 9 3 2 3; }
.d4 { stroke-dasharray: 4 2; }
)";
}

// What no page may hold becomes U+FFFD.
std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t')
      out += "\uFFFD";
    else
      out += c;
  }
  return out;
}

}  // namespace eyrie
