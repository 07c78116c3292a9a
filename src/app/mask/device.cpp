#include "app/mask/device.h"

#include <algorithm>

#include "cuda/graph.h"
#include "tensor/exec.h"

namespace eyrie {
namespace {

double median_replay_ms(const cuda::Stream& stream, const cuda::Graph& graph) {
  constexpr int kReplays = 21;
  std::vector<double> times;
  cuda::Event begin = cuda::Event::create(), end = cuda::Event::create();
  for (int i = 0; i < kReplays; ++i) {
    begin.record(stream);
    graph.replay(stream);
    end.record(stream);
    end.synchronize();
    times.push_back(end.milliseconds_since(begin));
  }
  std::sort(times.begin(), times.end());
  return times[kReplays / 2];
}

}  // namespace

std::string mask_device() {
  if constexpr (kHasCuda)
    if (cuda::why_no_device().empty()) return cuda::device_properties().name;
  return "";
}

double build_on_device_ms(const std::vector<BlockMaskRows>& masks, BlockTile tile) {
  if constexpr (kHasCuda) {
    Exec exec(Device::cuda);
    std::vector<Buffer> memory;
    std::vector<BlockMaskRows> rows = masks;
    std::vector<BlockMask> placed;
    for (BlockMaskRows& each : rows) {
      if (each.start) {
        const ConstTensor start(each.start, DType::i32, {each.valid()});
        each.start = memory.emplace_back(to_device(exec, start, DType::i32)).tensor().as<int32_t>(Device::cuda);
      }
      const BlockMaskSizes sizes = block_mask_capacity(each, tile);
      memory.emplace_back(DType::i32, Shape{sizes.elements()}, Device::cuda);
      placed.push_back(place_block_mask(sizes, tile, memory.back().tensor().as<int32_t>(Device::cuda)));
    }
    const auto build_all = [&] {
      for (size_t i = 0; i < rows.size(); ++i) cuda::build_block_mask(rows[i], placed[i], exec.stream);
    };
    return median_replay_ms(exec.stream, cuda::Graph::capture(exec.stream, build_all));
  }
  return 0;
}

}  // namespace eyrie
