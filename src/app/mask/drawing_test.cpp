#include "app/mask/drawing.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

TEST(Drawing, SvgJoinsRectanglesOfOneInk) {
  const Drawing drawing{.width = 9,
                        .height = 8,
                        .rectangles = {{0, 1, 2, 3, Ink::full}, {4, 5, 6, 7, Ink::full}, {0, 0, 1, 1, Ink::partial}},
                        .texts = {{1, 2, "prefix"}}};
  const std::string svg = to_svg(drawing);
  EXPECT_NE(
      svg.find("<path fill=\"#0b4f8a\" d=\"M0 1h2v3h-2zM4 5h6v7h-6z\"/>\n<path fill=\"#e8962e\" d=\"M0 0h1v1h-1z\"/>"),
      std::string::npos)
      << svg;
  EXPECT_NE(svg.find(">prefix</text>\n</svg>\n"), std::string::npos) << svg;
  EXPECT_NE(svg.find("viewBox=\"0 0 9 8\""), std::string::npos) << svg;
}

}  // namespace
}  // namespace eyrie
