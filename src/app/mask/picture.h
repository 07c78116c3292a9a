// app/mask/picture.h: block masks drawn tile by tile, as SVG: FULL, PARTIAL, absent, how many of each, what is skipped.
#pragma once
#include <string>
#include <vector>

#include "attention/block_mask.h"

namespace eyrie {

struct TileCounts {
  int64_t full = 0, partial = 0, all = 0;
  int64_t absent() const { return all - full - partial; }
  double skipped_percent() const {
    return all ? 100.0 * static_cast<double>(absent()) / static_cast<double>(all) : 0.0;
  }
};

struct MaskPanel {
  std::string label;  // above it; may be empty
  BlockMaskRows rows;
};

std::string grouped(int64_t value);  // "1,234,567"

// The panels below each other, a row of tiles downwards and a tile of keys to the right, under `title`; below them the
// counts. Past 2048 tiles across or down, a dot stands for several tiles: PARTIAL when one is, else FULL when one is.
// Drawn line by line: no list of tiles is made.
std::string draw_block_masks(const std::string& title, const std::vector<MaskPanel>& panels, BlockTile tile,
                             const TileCounts& counts);

}  // namespace eyrie
