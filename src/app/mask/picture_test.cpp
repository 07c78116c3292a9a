#include "app/mask/picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

namespace eyrie {
namespace {

const char *const kFull = "#0b4f8a", *const kPartial = "#e8962e", *const kAbsent = "#e9edf1";

std::string draw(const BlockMaskRows& rows, BlockTile tile) {
  const BlockMaskSizes sizes = count_tiles(rows, tile);
  return draw_block_masks("title", {{"", rows}}, tile, {sizes.full, sizes.partial, sizes.row_tiles * sizes.key_tiles});
}

int64_t number_behind(const std::string& svg, const std::string& words) {
  return std::stoll(svg.substr(svg.find(words) + words.size()));
}

struct Rectangle {
  int64_t width, height;
};

// Those of one color, without its square in the legend, which comes last.
std::vector<Rectangle> rectangles(const std::string& svg, const std::string& color) {
  std::vector<Rectangle> found;
  const std::string head = "<path fill=\"" + color + "\" d=\"";
  for (size_t at = svg.find(head); at != std::string::npos; at = svg.find(head, at + 1)) {
    const std::string path = svg.substr(at, svg.find("\"/>", at) - at);
    const std::regex shape("M\\d+ \\d+h(\\d+)v(\\d+)h-(\\d+)z");
    for (std::sregex_iterator one(path.begin(), path.end(), shape), end; one != end; ++one) {
      EXPECT_EQ((*one)[1], (*one)[3]);
      found.push_back({std::stoll((*one)[1]), std::stoll((*one)[2])});
    }
  }
  found.pop_back();
  return found;
}

int64_t area(const std::string& svg, const std::string& color) {
  int64_t sum = 0;
  for (const Rectangle& part : rectangles(svg, color)) sum += part.width * part.height;
  return sum;
}

bool says(const std::string& svg, const std::string& text) { return svg.find(">" + text + "</text>") != svg.npos; }

TEST(MaskPicture, EveryTileHasItsSquare) {
  constexpr int64_t kPixels = 24;  // of a tile in a small picture, across and down
  const BlockMaskRows rows = dense_rows(100, 3, 77);
  const BlockTile tile = {16, 8};
  const BlockMaskSizes sizes = count_tiles(rows, tile);
  const std::string svg = draw(rows, tile);
  EXPECT_EQ(area(svg, kFull), sizes.full * kPixels * kPixels);
  EXPECT_EQ(area(svg, kPartial), sizes.partial * kPixels * kPixels);
  EXPECT_EQ(area(svg, kAbsent), sizes.row_tiles * sizes.key_tiles * kPixels * kPixels);
  for (const char* name : {"title", "prefix", "suffix 1", "suffix 2"}) EXPECT_TRUE(says(svg, name)) << name;
  EXPECT_TRUE(says(svg, "FULL: 12, not tested pair by pair")) << sizes.full;
}

TEST(MaskPicture, TilesOfOneKindInARowAreOneRectangleAndShareAPath) {
  const std::string svg = draw(dense_rows(4096, 5), {});
  EXPECT_EQ(rectangles(svg, kFull).size(), 31u) << "a run in every row of tiles but the first";
  EXPECT_EQ(rectangles(svg, kPartial).size(), 32u * 5);
  EXPECT_LT(svg.size(), 8000u);
}

TEST(MaskPicture, ADotStandsForManyTilesOfALargeMask) {
  const std::string svg = draw(dense_rows(10000, 1), {2, 2});  // 5000 x 5000 tiles
  EXPECT_LE(number_behind(svg, " width=\""), 2048);
  EXPECT_LE(number_behind(svg, " height=\""), 2048 + 200);
  EXPECT_EQ(area(svg, kPartial), 1667) << "the diagonal is not lost";
  EXPECT_EQ(area(svg, kFull), 1667 * 1666 / 2);
}

TEST(MaskPicture, NothingToDraw) {
  const std::string svg = draw(dense_rows(0, 1), {});
  EXPECT_TRUE(says(svg, "absent: 0, 0.0 % of all skipped"));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

TEST(MaskPicture, Grouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
}

}  // namespace
}  // namespace eyrie
