#include <fmt/core.h>

#include "app/mask/drawing.h"

namespace eyrie {
namespace {

const char* color(Ink ink) {
  constexpr const char* kColors[] = {"#fbfbf9", "#e9edf1", "#0b4f8a", "#e8962e", "#fbfbf9", "#1b2430"};
  return kColors[static_cast<int>(ink)];
}

}  // namespace

// Rectangles of one ink that follow each other share a path.
std::string to_svg(const Drawing& drawing) {
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "shape-rendering=\"crispEdges\" font-family=\"ui-monospace,monospace\" font-size=\"15\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"{2}\"/>\n",
      drawing.width, drawing.height, color(Ink::page));
  const auto& rectangles = drawing.rectangles;
  for (size_t i = 0; i < rectangles.size();) {
    const Ink ink = rectangles[i].ink;
    svg += fmt::format("<path fill=\"{}\" d=\"", color(ink));
    for (; i < rectangles.size() && rectangles[i].ink == ink; ++i)
      svg += fmt::format("M{} {}h{}v{}h-{}z", rectangles[i].x, rectangles[i].y, rectangles[i].width,
                         rectangles[i].height, rectangles[i].width);
    svg += "\"/>\n";
  }
  for (const Drawing::Text& each : drawing.texts)
    svg += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n", each.x, each.y, color(Ink::text), each.text);
  return svg + "</svg>\n";
}

}  // namespace eyrie
