// app/mask/device.h: block masks built on a GPU, where there is one.
#pragma once
#include <string>
#include <vector>

#include "attention/block_mask.h"

namespace eyrie {

std::string mask_device();  // its name; empty: there is none
// All of them, arrays on the CPU; the median of replays of one captured graph. Call it only with a device.
double build_on_device_ms(const std::vector<BlockMaskRows>& masks, BlockTile tile);

}  // namespace eyrie
