#include "ops/embedding.h"
#include "ops/row_moves.cuh"

namespace eyrie::cuda {

void embed(Exec& exec, const Embed& op) {
  move_rows(exec, {.kernel = "embed",
                   .rows = op.ids.dim(0),
                   .from = op.table,
                   .to = op.y,
                   .from_row = op.ids.as<int32_t>(Device::cuda)});
}

}  // namespace eyrie::cuda
