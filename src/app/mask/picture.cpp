#include "app/mask/picture.h"

#include <fmt/core.h>

#include <algorithm>

#include "attention/block_mask_lines.h"

namespace eyrie {
namespace {

constexpr int kMargin = 16, kLine = 24, kMostCells = 2048, kWantedWidth = 1120, kLargestCell = 24, kCellWithBorder = 6;

using block_mask::Geometry;

// What each dot of a panel shows.
struct Cells {
  int rows, columns;
  std::vector<Ink> ink;
  Ink& at(int row, int column) {
    return ink[static_cast<size_t>(row) * static_cast<size_t>(columns) + static_cast<size_t>(column)];
  }
};

struct Scale {
  int tiles = 1;  // of one cell, across and down
  int pixels = 1;
  int cells(int64_t count) const { return static_cast<int>((count + tiles - 1) / tiles); }
};

Scale choose_scale(const std::vector<Geometry>& panels) {
  int64_t columns = 1, rows = 1;
  for (const Geometry& panel : panels) columns = std::max<int64_t>(columns, panel.key_tiles), rows += panel.row_tiles;
  Scale scale;
  scale.tiles = static_cast<int>((std::max(columns, rows) + kMostCells - 1) / kMostCells);
  scale.pixels = std::clamp(kWantedWidth / scale.cells(columns), 1, kLargestCell);
  return scale;
}

Cells cells_of(const Geometry& panel, const Scale& scale) {
  Cells cells{.rows = scale.cells(panel.row_tiles), .columns = scale.cells(panel.key_tiles), .ink = {}};
  cells.ink.assign(static_cast<size_t>(cells.rows) * static_cast<size_t>(cells.columns), Ink::absent);
  for (int32_t row = 0; row < panel.row_tiles; ++row) {
    const block_mask::RowLine line(panel, row);
    const auto cell = [&](int64_t key_tile) -> Ink& {
      return cells.at(row / scale.tiles, static_cast<int>(key_tile / scale.tiles));
    };
    for (int64_t tile = line.full.begin; tile < line.full.end; tile = (tile / scale.tiles + 1) * scale.tiles)
      if (cell(tile) == Ink::absent) cell(tile) = Ink::full;
    for_each_partial(line, [&](int32_t tile) { cell(tile) = Ink::partial; });
  }
  return cells;
}

void add_runs(Drawing& drawing, Cells& cells, Ink ink, int x, int y, int pixels) {
  for (int row = 0; row < cells.rows; ++row)
    for (int begin = 0, end; begin < cells.columns; begin = end) {
      for (end = begin + 1; end < cells.columns && cells.at(row, end) == cells.at(row, begin);) ++end;
      if (cells.at(row, begin) == ink)
        drawing.rectangles.push_back({x + begin * pixels, y + row * pixels, (end - begin) * pixels, pixels, ink});
    }
}

void add_borders(Drawing& drawing, const Cells& cells, int x, int y, int pixels) {
  for (int column = 1; column < cells.columns; ++column)
    drawing.rectangles.push_back({x + column * pixels, y, 1, cells.rows * pixels, Ink::line});
  for (int row = 1; row < cells.rows; ++row)
    drawing.rectangles.push_back({x, y + row * pixels, cells.columns * pixels, 1, Ink::line});
}

// A line where each suffix begins, and its name, where there is room.
void add_rounds(Drawing& drawing, const BlockMaskRows& rows, const Geometry& panel, const Scale& scale, int y) {
  const double pixels_per_key = static_cast<double>(scale.pixels) / scale.tiles / panel.tile_keys;
  const int height = scale.cells(panel.row_tiles) * scale.pixels;
  const int64_t rounds = static_cast<double>(rows.suffix_rows) * pixels_per_key < 2 ? 1 : rows.rounds;
  for (int64_t round = 0; round < rounds; ++round) {
    const int64_t first = round ? rows.tokens + (round - 1) * rows.suffix_rows : 0;
    const int x = kMargin + static_cast<int>(static_cast<double>(first) * pixels_per_key + 0.5);
    const std::string name = round ? fmt::format("suffix {}", round) : "prefix";
    const double room = static_cast<double>(round ? rows.suffix_rows : rows.tokens) * pixels_per_key;
    if (room >= kCharacterWidth * (static_cast<double>(name.size()) + 1)) drawing.texts.push_back({x, y - 8, name});
    if (round) drawing.rectangles.push_back({x, y - 4, 1, height + 8, Ink::text});
  }
}

void add_panel(Drawing& drawing, const MaskPanel& panel, const Geometry& geometry, const Scale& scale) {
  if (!panel.label.empty()) drawing.texts.push_back({kMargin, drawing.height += kLine, panel.label});
  const int y = drawing.height += kLine + 8;
  Cells cells = cells_of(geometry, scale);
  drawing.rectangles.push_back({kMargin, y, cells.columns * scale.pixels, cells.rows * scale.pixels, Ink::absent});
  add_runs(drawing, cells, Ink::full, kMargin, y, scale.pixels);
  add_runs(drawing, cells, Ink::partial, kMargin, y, scale.pixels);
  if (scale.pixels >= kCellWithBorder) add_borders(drawing, cells, kMargin, y, scale.pixels);
  add_rounds(drawing, panel.rows, geometry, scale, y);
  drawing.width = std::max(drawing.width, 2 * kMargin + cells.columns * scale.pixels);
  drawing.height += cells.rows * scale.pixels + kMargin / 2;
}

void add_legend(Drawing& drawing, const TileCounts& counts) {
  const auto add = [&](Ink ink, const std::string& text) {
    const int y = drawing.height += kLine;
    drawing.rectangles.push_back({kMargin, y - kTextHeight + 2, kTextHeight, kTextHeight, ink});
    drawing.texts.push_back({kMargin + 2 * kCharacterWidth, y, text});
  };
  add(Ink::full, fmt::format("FULL: {}, not tested pair by pair", grouped(counts.full)));
  add(Ink::partial, fmt::format("PARTIAL: {}, tested", grouped(counts.partial)));
  add(Ink::absent,
      fmt::format("absent: {}, {:.1f} % of all skipped", grouped(counts.absent()), counts.skipped_percent()));
}

}  // namespace

std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

Drawing draw_block_masks(const std::string& title, const std::vector<MaskPanel>& panels, BlockTile tile,
                         const TileCounts& counts) {
  Drawing drawing;
  std::vector<Geometry> geometries;
  for (const MaskPanel& panel : panels) geometries.push_back(block_mask::make_geometry(panel.rows, tile));
  const Scale scale = choose_scale(geometries);
  drawing.height = kMargin / 2;
  drawing.texts.push_back({kMargin, drawing.height += kTextHeight, title});
  for (size_t i = 0; i < panels.size(); ++i) add_panel(drawing, panels[i], geometries[i], scale);
  add_legend(drawing, counts);
  for (const Drawing::Text& text : drawing.texts)
    drawing.width = std::max(drawing.width, text.x + kCharacterWidth * static_cast<int>(text.text.size()) + kMargin);
  drawing.height += kMargin;
  return drawing;
}

}  // namespace eyrie
