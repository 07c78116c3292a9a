#include "app/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <string_view>

namespace eyrie {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ink: #1b2430; --soft: #5b6675; --line: #dde2e8; --page: #fbfbf9; --card: #ffffff;
  --shallow: #0b4f8a; --deep: #a9cdea; --draft: #d8ecd9; --draft-ink: #14532d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebef; --soft: #9aa6b4; --line: #303944; --page: #14181d;
  --card: #1b2027; --shallow: #8fc7f5; --deep: #2b5478; --draft: #1f4a2b; --draft-ink: #c9f2d2; } }
body { margin: 2.5rem auto; max-width: 62rem; padding: 0 1.2rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.05rem; margin: 0 0 .6rem; }
p { margin: 0 0 1.4rem; color: var(--soft); } .cards { display: grid; gap: 1.2rem; grid-template-columns: 1fr 1fr; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; }
section.wide { grid-column: 1 / -1; } @media (max-width: 46rem) { .cards { grid-template-columns: 1fr; } }
table { border-collapse: collapse; width: 100%; } td { padding: .22rem 0; border-bottom: 1px solid var(--line); }
td:last-child { text-align: right; white-space: pre; font-variant-numeric: tabular-nums; } tr:last-child td { border: 0; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); } .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .bar { fill: var(--shallow); }
.answer { font: 15px/1.8 ui-monospace, monospace; white-space: pre-wrap; margin: .6rem 0 0; color: var(--ink); }
mark { background: var(--draft); color: var(--draft-ink); border-radius: 3px; } .key { font-size: .85rem; margin: .6rem 0 0; }
)";

constexpr double kWidth = 440, kHeight = 240, kLeft = 40, kRight = 8, kTop = 10, kBottom = 24;

std::string escape(std::string_view text) {
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
    else
      out += c;
  }
  return out;
}

// Depth 0 in the strong colour, the deepest in the faint one.
std::string depth_color(size_t depth, size_t depths) {
  const double share = depths > 1 ? 100.0 * static_cast<double>(depth) / static_cast<double>(depths - 1) : 0;
  return fmt::format("color-mix(in oklab, var(--deep) {:.0f}%, var(--shallow))", share);
}

double largest(const std::vector<CurvePoint>& points) {
  double top = 0;
  for (const CurvePoint& point : points)
    top = std::max(top, *std::max_element(point.by_depth.begin(), point.by_depth.end()));
  return top > 0 ? top : 1;
}

std::string grid_lines(double top, std::string_view format) {
  constexpr int kLines = 4;
  std::string svg;
  for (int i = 0; i <= kLines; ++i) {
    const double y = kTop + (kHeight - kTop - kBottom) * (1 - static_cast<double>(i) / kLines);
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, kWidth - kRight,
                       y, y);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 6, y + 4,
                       fmt::format(fmt::runtime(format), top * i / kLines));
  }
  return svg;
}

std::string svg_frame(std::string_view label, const std::string& body) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}</svg>", kWidth, kHeight, label,
                     body);
}

std::string curve(const std::vector<CurvePoint>& points, size_t depth, const std::function<double(double)>& x_of,
                  const std::function<double(double)>& y_of) {
  std::string path;
  for (const CurvePoint& point : points)
    path += fmt::format("{}{:.1f},{:.1f} ", path.empty() ? "M" : "L", x_of(static_cast<double>(point.step)),
                        y_of(point.by_depth[depth]));
  const size_t depths = points.back().by_depth.size();
  return fmt::format("<path class=\"curve\" stroke=\"{}\" d=\"{}\"/>", depth_color(depth, depths), path);
}

std::string depth_key(size_t depths) {
  std::string html = "<p class=\"key\">depth";
  for (size_t depth = 0; depth < depths; ++depth)
    html += fmt::format(" <span style=\"color: {}\">■</span> {}", depth_color(depth, depths), depth);
  return html + "</p>";
}

std::string curves(std::string_view label, const std::vector<CurvePoint>& points, double top, std::string_view format) {
  if (points.empty()) return "<p>no data</p>";
  const auto first = static_cast<double>(points.front().step), last = static_cast<double>(points.back().step);
  const auto x_of = [=](double step) {
    return kLeft + (kWidth - kLeft - kRight) * (last > first ? (step - first) / (last - first) : 0);
  };
  const auto y_of = [=](double value) { return kTop + (kHeight - kTop - kBottom) * (1 - value / top); };
  std::string body = grid_lines(top, format);
  for (size_t depth = points.back().by_depth.size(); depth-- > 0;) body += curve(points, depth, x_of, y_of);
  body +=
      fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">step {:.0f}</text>", kWidth - kRight, kHeight - 6, last);
  return svg_frame(label, body) + depth_key(points.back().by_depth.size());
}

std::string histogram(const std::vector<int64_t>& counts) {
  int64_t total = 0;
  for (const int64_t count : counts) total += count;
  if (total == 0) return "<p>no data</p>";
  const double step = (kWidth - kLeft - kRight) / static_cast<double>(counts.size()), height = kHeight - kTop - kBottom;
  const double top = static_cast<double>(*std::max_element(counts.begin(), counts.end())) / static_cast<double>(total);
  std::string body = grid_lines(100 * top, "{:.0f}%");
  for (size_t i = 0; i < counts.size(); ++i) {
    const double share = static_cast<double>(counts[i]) / static_cast<double>(total), bar = height * share / top;
    const double x = kLeft + step * static_cast<double>(i);
    body += fmt::format("<rect class=\"bar\" rx=\"3\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
                        x + step * 0.12, kTop + height - bar, step * 0.76, bar);
    body +=
        fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", x + step / 2, kHeight - 6, i + 1);
  }
  return svg_frame("tokens kept per verify step", body);
}

std::string table(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string html = "<table>";
  for (const auto& [label, value] : rows)
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>", escape(label), escape(value));
  return html + "</table>";
}

std::string answer(const Report& report) {
  std::string html = fmt::format("<strong>{}</strong><div class=\"answer\">", escape(report.question));
  for (const AnswerPiece& piece : report.answer)
    html += piece.from_draft ? "<mark>" + escape(piece.text) + "</mark>" : escape(piece.text);
  return html + "</div><p class=\"key\"><mark>accepted draft tokens</mark> · the rest are the target's own</p>";
}

std::string card(std::string_view heading, const std::string& body, bool wide = false) {
  return fmt::format("<section{}><h2>{}</h2>{}</section>\n", wide ? " class=\"wide\"" : "", heading, body);
}

}  // namespace

std::string render_report(const Report& report) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>{0}</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n<p>{2}</p>\n"
      "<div class=\"cards\">\n",
      escape(report.title), kStyle, escape(report.summary));
  html += card("Result", table(report.table), true);
  html += card("Loss per depth, by step", curves("loss per depth", report.loss, largest(report.loss), "{:.1f}"));
  html += card("Accuracy per depth, by step", curves("accuracy per depth", report.accuracy, 1, "{:.2f}"));
  html += card("Tokens kept per verify step", histogram(report.accepted));
  html += card("A sample answer", answer(report));
  return html + "</div></body></html>\n";
}

}  // namespace eyrie
