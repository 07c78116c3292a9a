#include "app/mask/picture.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace eyrie {
namespace {

Drawing draw(const BlockMaskRows& rows, BlockTile tile) {
  const BlockMaskSizes sizes = count_tiles(rows, tile);
  return draw_block_masks("title", {{"", rows}}, tile, {sizes.full, sizes.partial, sizes.row_tiles * sizes.key_tiles});
}

// Pixels of one ink, without its square in the legend.
int64_t area(const Drawing& drawing, Ink ink) {
  int64_t sum = 0;
  for (const Drawing::Rectangle& part : drawing.rectangles)
    if (part.ink == ink) sum += int64_t{part.width} * part.height;
  return sum - kTextHeight * kTextHeight;
}

bool says(const Drawing& drawing, const std::string& text) {
  return std::ranges::any_of(drawing.texts, [&](const Drawing::Text& each) { return each.text == text; });
}

TEST(MaskPicture, EveryTileHasItsSquare) {
  constexpr int64_t kPixels = 24;  // of a tile in a small picture, across and down
  const BlockMaskRows rows = dense_rows(100, 3, 77);
  const BlockTile tile = {16, 8};
  const BlockMaskSizes sizes = count_tiles(rows, tile);
  const Drawing drawing = draw(rows, tile);
  EXPECT_EQ(area(drawing, Ink::full), sizes.full * kPixels * kPixels);
  EXPECT_EQ(area(drawing, Ink::partial), sizes.partial * kPixels * kPixels);
  EXPECT_EQ(area(drawing, Ink::absent), sizes.row_tiles * sizes.key_tiles * kPixels * kPixels);
  for (const char* name : {"title", "prefix", "suffix 1", "suffix 2"}) EXPECT_TRUE(says(drawing, name)) << name;
  EXPECT_TRUE(says(drawing, "FULL: 12, not tested pair by pair")) << sizes.full;
}

TEST(MaskPicture, TilesOfOneKindInARowAreOneRectangle) {
  const Drawing drawing = draw(dense_rows(4096, 5), {});
  const auto of = [&](Ink ink) {
    return std::ranges::count_if(drawing.rectangles, [&](const auto& part) { return part.ink == ink; });
  };
  EXPECT_EQ(of(Ink::full), 31 + 1) << "a run in every row of tiles but the first, and the legend";
  EXPECT_EQ(of(Ink::partial), 32 * 5 + 1);
  EXPECT_LT(to_svg(drawing).size(), 8000u);
}

TEST(MaskPicture, ADotStandsForManyTilesOfALargeMask) {
  const Drawing drawing = draw(dense_rows(10000, 1), {2, 2});  // 5000 x 5000 tiles
  EXPECT_LE(drawing.width, 2048);
  EXPECT_LE(drawing.height, 2048 + 200);
  EXPECT_EQ(area(drawing, Ink::partial), 1667) << "the diagonal is not lost";
  EXPECT_EQ(area(drawing, Ink::full), 1667 * 1666 / 2);
}

TEST(MaskPicture, NothingToDraw) {
  const Drawing drawing = draw(dense_rows(0, 1), {});
  EXPECT_TRUE(says(drawing, "absent: 0, 0.0 % of all skipped"));
  EXPECT_TRUE(to_svg(drawing).ends_with("</svg>\n"));
}

TEST(MaskPicture, Grouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
}

}  // namespace
}  // namespace eyrie
