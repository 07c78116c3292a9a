#include "app/mask/drawing.h"

#include <gtest/gtest.h>
#include <png.h>

#include "app/mask/glyphs.h"

namespace eyrie {
namespace {

struct Picture {
  int width = 0, height = 0;
  std::vector<png_byte> rgb;
  std::vector<int> at(int x, int y) const {
    const auto first = static_cast<size_t>(3 * (y * width + x));
    return {rgb[first], rgb[first + 1], rgb[first + 2]};
  }
};

Picture decode(const std::string& bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size())) << image.message;
  image.format = PNG_FORMAT_RGB;
  Picture made{.width = static_cast<int>(image.width), .height = static_cast<int>(image.height), .rgb = {}};
  made.rgb.resize(PNG_IMAGE_SIZE(image));
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, made.rgb.data(), 0, nullptr)) << image.message;
  return made;
}

const std::vector<int> kPage = {251, 251, 249}, kFull = {11, 79, 138}, kPartial = {232, 150, 46}, kText = {27, 36, 48};

TEST(Drawing, PngHoldsEveryRectangleLaterOnesAbove) {
  Drawing drawing{
      .width = 7, .height = 5, .rectangles = {{0, 0, 3, 2, Ink::full}, {2, 1, 9, 9, Ink::partial}}, .texts = {}};
  const Picture picture = decode(to_png(drawing));
  ASSERT_EQ(picture.width, 7);
  ASSERT_EQ(picture.height, 5);
  for (int y = 0; y < 5; ++y)
    for (int x = 0; x < 7; ++x)
      EXPECT_EQ(picture.at(x, y), x >= 2 && y >= 1 ? kPartial : x < 3 && y < 2 ? kFull : kPage) << x << ", " << y;
}

TEST(Drawing, PngWritesCharactersBesideEachOther) {
  const Drawing drawing{.width = 30, .height = 20, .rectangles = {}, .texts = {{2, 16, "1L"}}};
  const Picture picture = decode(to_png(drawing));
  EXPECT_EQ(picture.at(2 + 4, 16 - 13), kText) << "the stem of 1";
  EXPECT_EQ(picture.at(2 + 12, 16 - 13), kText) << "the stem of L";
  EXPECT_EQ(picture.at(2 + 12 + 8, 16 - 1), kText) << "the foot of L, on the base line";
  EXPECT_EQ(picture.at(2 + 12 + 8, 16 - 13), kPage);
  EXPECT_EQ(picture.at(2 + 12, 16), kPage);
}

TEST(Drawing, EveryCharacterThatAPictureUsesHasDots) {
  for (const char character :
       std::string("0123456789,.%:xFULLPARTIALabsentlengthprefixsuffixpairsintilesofbytestedskippednot"))
    EXPECT_NE(glyph_of(character), Glyph{}) << character;
  EXPECT_EQ(glyph_of(' '), Glyph{});
}

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
