#include "attention/checks.h"

#include <fmt/core.h>

namespace eyrie {

void expect(bool right, const char* argument, const std::string& message) {
  if (!right) throw Error(ErrorKind::input, argument, message);
}

void expect_rows(const char* argument, const ConstTensor& found, const Shape& shape, const Kind& kind) {
  expect_dtype(argument, found, {kind.dtype});
  expect_shape(argument, found, shape);
  expect_device(argument, found, kind.device);
  const int64_t last = found.strides[found.rank() - 1];
  if (found.dim(-1) > 1 && last != 1)
    expect(false, argument, fmt::format("expected a contiguous last dimension, found a stride of {}", last));
}

const int32_t* expect_indices(const char* argument, const ConstTensor& found, int64_t count, Device device) {
  expect_dtype(argument, found, {DType::i32});
  expect_shape(argument, found, {count});
  expect_device(argument, found, device);
  if (!found.contiguous()) expect(false, argument, "expected contiguous elements");
  return found.as<int32_t>(device);
}

void expect_ascending(const char* argument, const int32_t* index, int64_t rows, int64_t limit) {
  for (int64_t row = 0; row < rows; ++row) {
    if (index[row] < 0 || index[row] >= limit)
      expect(false, argument, fmt::format("row {}: expected an index below {}, found {}", row, limit, index[row]));
    if (row > 0 && index[row] <= index[row - 1])
      expect(false, argument,
             fmt::format("expected ascending values, found {} behind {} at row {}", index[row], index[row - 1], row));
  }
}

void expect_starts(const int32_t* start, const int32_t* token, int64_t rows) {
  const auto token_of = [&](int64_t row) { return token ? token[row] : static_cast<int32_t>(row); };
  for (int64_t row = 0; row < rows; ++row) {
    if (start[row] < 0 || start[row] > token_of(row))
      expect(false, "start",
             fmt::format("row {}: expected a start up to its token {}, found {}", row, token_of(row), start[row]));
    if (row > 0 && start[row] != start[row - 1] && start[row] <= token_of(row - 1))
      expect(false, "start",
             fmt::format("row {} starts at {}, inside the sequence of the row before it (token {})", row, start[row],
                         token_of(row - 1)));
  }
}

void expect_heads(int64_t q_heads, int64_t kv_heads) {
  if (kv_heads > 0 && q_heads % kv_heads == 0) return;
  expect(false, "q", fmt::format("expected a multiple of {} key-value heads, found {} heads", kv_heads, q_heads));
}

}  // namespace eyrie
