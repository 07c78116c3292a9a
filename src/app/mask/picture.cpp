#include "app/mask/picture.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "attention/block_mask_lines.h"

namespace eyrie {
namespace {

// Pixels, y downwards; what a character takes at most.
constexpr int kMargin = 16, kLine = 24, kCharacterWidth = 12, kTextHeight = 16;
constexpr int kMostCells = 2048, kWantedWidth = 1120, kLargestCell = 24, kCellWithBorder = 6;

using block_mask::Geometry;

enum class Ink : uint8_t { absent, full, partial, line, text };
constexpr const char *kPaper = "#fbfbf9", *kColors[] = {"#e9edf1", "#0b4f8a", "#e8962e", kPaper, "#1b2430"};

class Svg {
 public:
  int width = 0;  // of what is drawn so far

  // Rectangles of one ink that follow each other share a path; later ones lie above.
  void rectangle(int x, int y, int w, int h, Ink ink) {
    const char* const color = kColors[static_cast<size_t>(ink)];
    if (ink_ != ink) paths_ += fmt::format("{}<path fill=\"{}\" d=\"", ink_ ? kPathEnd : "", color);
    ink_ = ink;
    paths_ += fmt::format("M{} {}h{}v{}h-{}z", x, y, w, h, w);
  }
  // y: of the base line.
  void text(int x, int y, const std::string& words) {
    texts_ += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n", x, y,
                          kColors[static_cast<size_t>(Ink::text)], words);
    width = std::max(width, x + kCharacterWidth * static_cast<int>(words.size()) + kMargin);
  }
  std::string of_height(int height) const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
        "shape-rendering=\"crispEdges\" font-family=\"ui-monospace,monospace\" font-size=\"15\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"{2}\"/>\n{3}{4}{5}</svg>\n",
        width, height, kPaper, paths_, kPathEnd, texts_);
  }

 private:
  static constexpr const char* kPathEnd = "\"/>\n";
  std::optional<Ink> ink_;  // of the path that goes on
  std::string paths_, texts_;
};

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

class Picture {
 public:
  explicit Picture(const Scale& scale) : scale_(scale) {}

  void add_title(const std::string& title) { svg_.text(kMargin, y_ += kTextHeight, title); }

  void add_panel(const MaskPanel& panel, const Geometry& geometry) {
    if (!panel.label.empty()) svg_.text(kMargin, y_ += kLine, panel.label);
    y_ += kLine + 8;
    Cells cells = cells_of(geometry, scale_);
    const int width = cells.columns * scale_.pixels, height = cells.rows * scale_.pixels;
    svg_.rectangle(kMargin, y_, width, height, Ink::absent);
    for (const Ink ink : {Ink::full, Ink::partial}) add_runs(cells, ink);
    if (scale_.pixels >= kCellWithBorder) add_borders(cells);
    add_rounds(panel.rows, geometry, height);
    svg_.width = std::max(svg_.width, 2 * kMargin + width);
    y_ += height + kMargin / 2;
  }

  void add_legend(Ink ink, const std::string& text) {
    y_ += kLine;
    svg_.rectangle(kMargin, y_ - kTextHeight + 2, kTextHeight, kTextHeight, ink);
    svg_.text(kMargin + 2 * kCharacterWidth, y_, text);
  }

  std::string svg() const { return svg_.of_height(y_ + kMargin); }

 private:
  void add_runs(Cells& cells, Ink ink) {
    const int pixels = scale_.pixels;
    for (int row = 0; row < cells.rows; ++row)
      for (int begin = 0, end; begin < cells.columns; begin = end) {
        for (end = begin + 1; end < cells.columns && cells.at(row, end) == cells.at(row, begin);) ++end;
        if (cells.at(row, begin) == ink)
          svg_.rectangle(kMargin + begin * pixels, y_ + row * pixels, (end - begin) * pixels, pixels, ink);
      }
  }

  void add_borders(const Cells& cells) {
    const int pixels = scale_.pixels;
    for (int column = 1; column < cells.columns; ++column)
      svg_.rectangle(kMargin + column * pixels, y_, 1, cells.rows * pixels, Ink::line);
    for (int row = 1; row < cells.rows; ++row)
      svg_.rectangle(kMargin, y_ + row * pixels, cells.columns * pixels, 1, Ink::line);
  }

  // A line where each suffix begins, and its name, where there is room.
  void add_rounds(const BlockMaskRows& rows, const Geometry& panel, int height) {
    const double pixels_per_key = static_cast<double>(scale_.pixels) / scale_.tiles / panel.tile_keys;
    const int64_t rounds = static_cast<double>(rows.suffix_rows) * pixels_per_key < 2 ? 1 : rows.rounds;
    for (int64_t round = 0; round < rounds; ++round) {
      const int64_t first = round ? rows.tokens + (round - 1) * rows.suffix_rows : 0;
      const int x = kMargin + static_cast<int>(static_cast<double>(first) * pixels_per_key + 0.5);
      const std::string name = round ? fmt::format("suffix {}", round) : "prefix";
      const double room = static_cast<double>(round ? rows.suffix_rows : rows.tokens) * pixels_per_key;
      if (room >= kCharacterWidth * (static_cast<double>(name.size()) + 1)) svg_.text(x, y_ - 8, name);
      if (round) svg_.rectangle(x, y_ - 4, 1, height + 8, Ink::text);
    }
  }

  const Scale scale_;
  Svg svg_;
  int y_ = kMargin / 2;  // above it all is drawn
};

}  // namespace

std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string draw_block_masks(const std::string& title, const std::vector<MaskPanel>& panels, BlockTile tile,
                             const TileCounts& counts) {
  std::vector<Geometry> geometries;
  for (const MaskPanel& panel : panels) geometries.push_back(block_mask::make_geometry(panel.rows, tile));
  Picture picture(choose_scale(geometries));
  picture.add_title(title);
  for (size_t i = 0; i < panels.size(); ++i) picture.add_panel(panels[i], geometries[i]);
  picture.add_legend(Ink::full, fmt::format("FULL: {}, not tested pair by pair", grouped(counts.full)));
  picture.add_legend(Ink::partial, fmt::format("PARTIAL: {}, tested", grouped(counts.partial)));
  picture.add_legend(Ink::absent, fmt::format("absent: {}, {:.1f} % of all skipped", grouped(counts.absent()),
                                              counts.skipped_percent()));
  return picture.svg();
}

}  // namespace eyrie
