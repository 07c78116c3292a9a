// train/ttt_rows.h: every index that one micro-batch of training-time test reads: which tokens, at which positions,
// from which teacher. Made once on the host from the supervision (spec §3), sent once; forward and backward read the
// same.
//
// P: tokens of depth 0's prefix, R: rows, K: depths. Row r stands at token t; at depth k it takes token t+1+k at
// position t - start + k and learns from the teacher at t+1+k. A row past its span's end rides along on its last
// supervised token and position: nothing supervised sees it. What a row learns from at depth k is the teacher of depth
// 0 of the row k further on: in its span, as long as it is supervised.
#pragma once
#include <span>

#include "data/supervision.h"
#include "tensor/host_arrays.h"

namespace eyrie {

struct TttRows {
  int64_t depths = 0, rows = 0, prefix_rows = 0;  // K, R, P
  ConstTensor prefix_token;                       // [P] i32, token of the batch whose taps and position it has
  ConstTensor prefix_input;                       // [P] i32, id taken: of the token behind it
  ConstTensor prefix_position;                    // [P] i32, RoPE
  ConstTensor row_prefix;                         // [R] i32, the row's own token in the prefix
  ConstTensor row_start;                          // [R] i32, its sequence's first token in the prefix
  ConstTensor suffix_row;                         // [R] i32, 0 .. R-1
  ConstTensor input;                              // [K, R] i32, id taken
  ConstTensor position;                           // [K, R] i32, RoPE
  ConstTensor teacher_token;                      // [R] i32, token of the batch that depth 0 learns from
  ConstTensor teacher;                            // [R, K] i32, place in teacher_token; -1: not supervised
  std::span<const int32_t> teacher_here;          // the same, in the host's memory
  ConstTensor target_ids;                         // [Vd] i32, of each draft id; undefined: the same
};

// `input_ids` [T] of the batch that `supervision` was made of; `d2t` of the draft (spec §6). Valid until the arrays are
// cleared.
TttRows make_ttt_rows(Exec&, HostArrays&, std::span<const int32_t> input_ids, const Supervision& supervision,
                      std::span<const int64_t> d2t);

}  // namespace eyrie
