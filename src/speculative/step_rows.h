// speculative/step_rows.h: all that one forward over rows of many sequences is told: indices made on the host, in this
// one place, checked here and nowhere after.
#pragma once
#include "speculative/kv_cache.h"
#include "tensor/host_arrays.h"

namespace eyrie {

// Consecutive rows of one sequence. A sequence may have several such runs in a step.
struct SequenceRows {
  const PagedSequence* pages = nullptr;
  std::span<const int32_t> tokens = {};  // [rows]
  int64_t first_position = 0;            // of pages that the sequence owns
  int64_t logits = 0;                    // of its last rows: those whose logits are asked for
  int64_t first_source = 0;              // the row of an earlier step that its first row continues; the next, the next
};

struct StepRows {
  int64_t rows = 0, logits = 0;
  ConstTensor token, position, slot, sequence;  // [rows] i32; slot: its place in the pages; sequence: of the page table
  ConstTensor page_table;                       // [runs, pages] i32; entries past a sequence's last page are never read
  // i32 [logits], ascending, the rows whose logits are asked for, and [rows], what each row continues. Undefined: entry
  // i is i, and nothing needs to be gathered.
  ConstTensor logit_row, source_row;
  std::span<const PagedCache> layers = {};  // of the pool that all sequences share
};

// Lies in `arrays` until they are used again; allocates nothing once they have held as much. Error{internal} for rows
// that stand outside the pages of their sequence.
StepRows make_step_rows(Exec&, HostArrays& arrays, std::span<const SequenceRows> runs);

}  // namespace eyrie
