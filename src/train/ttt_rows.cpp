#include "train/ttt_rows.h"

#include <algorithm>
#include <numeric>

namespace eyrie {

TttRows make_ttt_rows(Exec& exec, HostArrays& arrays, std::span<const int32_t> input_ids,
                      const Supervision& supervision, std::span<const int64_t> d2t) {
  const size_t prefix = supervision.prefix_token.size(), rows = supervision.row_token.size();
  const auto depths = static_cast<size_t>(supervision.depths);
  const auto take = [&](size_t count) { return arrays.take<int32_t>(static_cast<int64_t>(count)); };
  const auto copy_of = [&](const std::vector<int32_t>& values) {
    const std::span<int32_t> made = take(values.size());
    std::ranges::copy(values, made.begin());
    return made;
  };
  const auto prefix_token = copy_of(supervision.prefix_token), row_prefix = copy_of(supervision.row_prefix);
  const auto prefix_input = take(prefix), prefix_position = take(prefix);
  for (size_t i = 0; i < prefix; ++i) {
    prefix_input[i] = input_ids[static_cast<size_t>(prefix_token[i]) + 1];
    prefix_position[i] = static_cast<int32_t>(i) - supervision.prefix_start[i];
  }
  const auto row_start = take(rows), suffix_row = take(rows);
  std::iota(suffix_row.begin(), suffix_row.end(), 0);
  const auto input = take(depths * rows), position = take(depths * rows);
  const auto teacher_token = take(rows), teacher = take(rows * depths);
  for (size_t r = 0; r < rows; ++r) {
    row_start[r] = supervision.prefix_start[static_cast<size_t>(row_prefix[r])];
    const int32_t token = supervision.row_token[r], last = supervision.row_last_depth[r];
    teacher_token[r] = token + 1;
    for (size_t k = 0; k < depths; ++k) {
      const auto depth = static_cast<int32_t>(k), later = std::min(depth, last);
      input[k * rows + r] = input_ids[static_cast<size_t>(token + 1 + later)];
      position[k * rows + r] = token - supervision.row_start[r] + later;
      teacher[r * depths + k] = depth <= last ? static_cast<int32_t>(r + k) : -1;
    }
  }
  const auto target_ids = take(d2t.size());
  for (size_t i = 0; i < d2t.size(); ++i) target_ids[i] = static_cast<int32_t>(static_cast<int64_t>(i) + d2t[i]);
  arrays.send(exec);
  const Shape each = {supervision.depths, supervision.rows()};
  return {.depths = supervision.depths,
          .rows = supervision.rows(),
          .prefix_rows = static_cast<int64_t>(prefix),
          .prefix_token = arrays.there(prefix_token),
          .prefix_input = arrays.there(prefix_input),
          .prefix_position = arrays.there(prefix_position),
          .row_prefix = arrays.there(row_prefix),
          .row_start = arrays.there(row_start),
          .suffix_row = arrays.there(suffix_row),
          .input = arrays.there(input).reshape(each),
          .position = arrays.there(position).reshape(each),
          .teacher_token = arrays.there(teacher_token),
          .teacher = arrays.there(teacher).reshape({supervision.rows(), supervision.depths}),
          .teacher_here = teacher,
          .target_ids = d2t.empty() ? ConstTensor() : arrays.there(target_ids)};
}

}  // namespace eyrie
