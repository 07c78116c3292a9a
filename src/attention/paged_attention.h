// attention/paged_attention.h: the key-value cache in pages, written and attended to.
//
// The row at position p of a sequence sees the keys 0..p of that sequence's pages:
//   o = sum of softmax(scale q.k) v
// One kernel for one row, a verify step's few rows and a prefill chunk: a row's o is bitwise the same whatever other
// rows are in the call, whatever the page size and the thread count, because its keys are summed in blocks of absolute
// position.
#pragma once
#include "attention/page_view.h"
#include "tensor/exec.h"

namespace eyrie {

// Writes row r's key and value into slot[r]; -1 skips the row. Two rows never name the same slot.
// k [rows, kv_heads, dim], v [rows, kv_heads, value_dim] f32; slot [rows] i32.
void append(Exec& exec, const PagedCache& cache, const ConstTensor& k, const ConstTensor& v, const ConstTensor& slot);

struct PagedAttention {
  ConstTensor q;             // [rows, q_heads, dim] f32
  PagedCache cache;          // read; slots past a row's position may hold anything, NaN too
  ConstTensor page_table;    // [sequences, max_pages] i32; entries past a sequence's last page are never read
  ConstTensor row_sequence;  // [rows] i32, a row of the page table
  ConstTensor row_position;  // [rows] i32; -1: the row sees nothing, its o is 0 and its row_sequence is not read
  float scale = 0;           // multiplies q.k
};

// Writes o [rows, q_heads, value_dim]. Rows of one sequence that stand together share its reads. Throws Error{input}
// naming the tensor, what was expected and what was found. Indices and page ids are trusted: they are checked where
// they are made, once for all layers (speculative/step_rows.h). Allocates nothing.
void paged_attention(Exec& exec, const PagedAttention& problem, const Tensor& o);

}  // namespace eyrie
