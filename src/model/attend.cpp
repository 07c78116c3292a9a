#include "model/attend.h"

namespace eyrie {

void attend(Exec& exec, const AttentionRows& rows, int64_t layer, const AttentionShape& shape, ConstTensor q,
            ConstTensor k, ConstTensor v, Tensor out) {
  if (const auto* packed = std::get_if<PackedRows>(&rows)) {
    const SuffixAttention problem{
        .q = q, .prefix_k = k, .prefix_v = v, .token = packed->token, .start = packed->start, .scale = shape.scale};
    const ScratchScope scope(exec.scratch);
    const Tensor lse = exec.scratch.take(DType::f32, {q.dim(0), q.dim(1)});  // what backward would read
    return suffix_attention(exec, AttentionBackend::automatic, problem, out, lse);
  }
  const auto& [layers, page_table, sequence, position, slot] = std::get<PagedRows>(rows);
  const PagedCache& cache = layers[static_cast<size_t>(layer)];
  append(exec, cache, k, v, slot);
  paged_attention(exec, PagedAttention{q, cache, page_table, sequence, position, shape.scale}, out);
}

}  // namespace eyrie
