// model/attend.h: what the attention of a forward sees, as a value that is handed to it and passed down to its layers.
#pragma once
#include <span>
#include <variant>

#include "attention/paged_attention.h"
#include "attention/suffix_attention.h"

namespace eyrie {

// Packed sequences: a row sees the rows of its own sequence up to itself, all of them in this forward.
struct PackedRows {
  ConstTensor token, start;  // [rows] i32: the row itself, the first row of its sequence
};

// Sequences in pages: keys and values are kept there, then each row that asks sees the positions 0 .. its own. There
// may be more rows of keys and values than rows that ask.
struct PagedRows {
  std::span<const PagedCache> layers;  // of this model
  ConstTensor page_table;              // [sequences, pages] i32
  ConstTensor sequence, position;      // [rows of q] i32: a row of the page table; a position in that sequence
  ConstTensor slot;                    // [rows of k and v] i32: their places in the pages
};

using AttentionRows = std::variant<PackedRows, PagedRows>;

struct AttentionShape {
  float scale = 0;  // multiplies q.k
};

// One layer's attention. q [rows, q_heads, head_dim], k and v [rows, kv_heads, head_dim]; writes out, like q.
void attend(Exec&, const AttentionRows&, int64_t layer, const AttentionShape&, ConstTensor q, ConstTensor k,
            ConstTensor v, Tensor out);

}  // namespace eyrie
