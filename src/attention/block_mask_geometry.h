// attention/block_mask_geometry.h: the door of block_mask.h, shared by the CPU's and the device's builder.
#pragma once
#include "attention/block_mask_lines.h"

namespace eyrie::block_mask {

// Checks the counts and the tile. The arrays are taken as they are.
Geometry make_geometry(const BlockMaskRows& rows, BlockTile tile);
void expect_listable(const BlockMaskSizes& sizes);  // offsets are 32 bit
void expect_place(const Geometry& geometry, const BlockMask& mask);

}  // namespace eyrie::block_mask
