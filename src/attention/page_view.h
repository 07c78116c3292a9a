// attention/page_view.h: the keys and values of one layer in pages. A sequence owns pages by its row of a page table:
// position p lies in slot table[p / page_size] * page_size + p % page_size.
#pragma once
#include "tensor/tensor.h"

namespace eyrie {

struct PagedCache {
  Tensor k;  // [pages, page_size, kv_heads, dim]        f32; any strides, the last dimension contiguous
  Tensor v;  // [pages, page_size, kv_heads, value_dim]  f32

  int64_t pages() const { return k.dim(0); }
  int64_t page_size() const { return k.dim(1); }
};

// The slot of `position` under one row of a page table.
inline int32_t slot_of(const int32_t* page_table_row, int64_t page_size, int64_t position) {
  return static_cast<int32_t>(page_table_row[position / page_size] * page_size + position % page_size);
}

}  // namespace eyrie
