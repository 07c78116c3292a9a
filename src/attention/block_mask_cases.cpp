#include <fmt/core.h>

#include <memory>

#include "attention/attention_cases.h"
#include "attention/block_mask.h"

namespace eyrie {
namespace {

using testing::CaseList;
using testing::Workload;

struct MaskShape {
  int64_t rows, rounds;
  int64_t documents = 1;
};

// Building into memory that is there, as a step does; one thread.
Workload build_work(const MaskShape& shape) {
  const std::vector<int64_t> lengths(static_cast<size_t>(shape.documents), shape.rows / shape.documents);
  const auto starts = std::make_shared<std::vector<int32_t>>(document_starts(lengths));
  BlockMaskRows rows = dense_rows(shape.rows, shape.rounds);
  if (shape.documents > 1) rows.start = starts->data();
  const auto made = std::make_shared<OwnedBlockMask>(make_block_mask(rows, {}));
  return {.bytes = static_cast<double>(made->memory.tensor().bytes()),
          .call = [rows, made, starts](Exec&) { build_block_mask(rows, made->mask); }};
}

Workload padded_work(const MaskShape& shape) {
  const auto made = std::make_shared<OwnedBlockMask>(make_block_mask(dense_rows(shape.rows, shape.rounds), {}));
  return {.bytes = static_cast<double>(padded_bytes(made->sizes)), .call = [made](Exec&) { to_padded({made->mask}); }};
}

Workload gpu_build_work(const MaskShape& shape) {
  const BlockMaskRows rows = dense_rows(shape.rows, shape.rounds);
  const BlockMaskSizes sizes = block_mask_capacity(rows, {});
  const auto memory = std::make_shared<Buffer>(DType::i32, Shape{sizes.elements()}, Device::cuda);
  const BlockMask mask = place_block_mask(sizes, {}, memory->tensor().as<int32_t>(Device::cuda));
  return {.call = [rows, memory, mask](Exec& exec) {
    if constexpr (kHasCuda) cuda::build_block_mask(rows, mask, exec.stream);
  }};
}

}  // namespace

void add_block_mask_cases(CaseList& cases) {
  const std::vector<MaskShape> shapes = {{4096, 5}, {49152, 5}, {49152, 5, 12}};
  for (const MaskShape& shape : shapes)
    cases.push_back(
        {.name = fmt::format("block_mask/{} rows, {} rounds, {} documents", shape.rows, shape.rounds, shape.documents),
         .check = {},
         .grad = {},
         .bench = [=](Exec&) { return build_work(shape); }});
  cases.push_back({.name = "block_mask/49152 rows, 5 rounds, padded", .check = {}, .grad = {}, .bench = [](Exec&) {
                     return padded_work({49152, 5});
                   }});
  cases.push_back({.name = "block_mask/49152 rows, 5 rounds, on the GPU",
                   .check = {},
                   .grad = {},
                   .bench =
                       [](Exec&) {
                         return gpu_build_work({49152, 5});
                       },
                   .device = Device::cuda});
}

}  // namespace eyrie
