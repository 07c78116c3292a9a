// app/report/chart.h: curves and bars as SVG, axes named, for a page that has the style (chart_style).
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eyrie {

struct Series {
  std::string label;                              // beside its end
  std::vector<std::pair<double, double>> points;  // x ascending
  bool dots = false;                              // one on each point
};

struct Chart {
  std::string x_name, y_name;  // with their units
  std::vector<Series> series;  // told apart by label, dashes and a colour that colour-blind readers can tell
  double least_y = 0;          // where the axis begins, unless a value lies below
};

// A sentence in the place of a chart without any point.
std::string curves(const Chart& chart);
// One bar for each of 1, 2, … with its share of the sum in percent.
std::string bars(std::string_view x_name, std::string_view y_name, const std::vector<int64_t>& counts);

std::string_view chart_style();  // CSS; light and dark
std::string escape_html(std::string_view text);

}  // namespace eyrie
