// ops/soft_cross_entropy.h: the loss of every TTT depth in one pass over the teacher (docs/math.md, "Loss").
//
// Teacher at position j: y = target_lm_head hidden[j] over V, a = argmax y (the lowest id wins a tie),
//   p  = softmax of y over the draft vocabulary's columns,   p' = softmax of y over V.
// Draft of row r at depth k, with j = position[r, k]: z = lm_head normed[r, k] over Vd, c = target id of argmax z.
//   loss = -sum_v p(v) log softmax(z)(v)   where a is in the draft vocabulary; elsewhere nothing is learned
//   d_z  = scale[k] (softmax(z) - p)
// A position's logits are computed once for all depths, some positions at a time: no [P, V] tensor exists.
// Activations are f32, on a GPU also bf16, all of one dtype; sums and results f32.
#pragma once
#include <span>

#include "tensor/exec.h"

namespace eyrie {

enum class RowOutcome : uint8_t {
  unsupervised,       // position -1
  out_of_vocabulary,  // a is not in the draft vocabulary: counts as wrong, gives no loss
  wrong,              // c != a
  right,              // c == a
};

inline constexpr int64_t kMostLossDepths = 17;

struct SoftCrossEntropyResult {
  Tensor loss;     // [R, K] f32 written; 0 where nothing is learned
  Tensor accept;   // [R, K] f32 written: p'(c); 0 where unsupervised
  Tensor outcome;  // [R, K] u8 written: RowOutcome
};

struct SoftCrossEntropy {
  ConstTensor hidden;          // [P, Ht], the target's last hidden states that some row learns from
  ConstTensor target_lm_head;  // [V, Ht] f32 | bf16 | f16, on a GPU like hidden
  ConstTensor target_ids;      // [Vd] i32 ascending, the target id of each draft id; undefined: Vd = V, the same
  ConstTensor normed;          // [R, K, H]
  ConstTensor lm_head;         // [Vd, H]
  ConstTensor position;        // [R, K] i32, 0..P-1 ascending along each depth, or -1: not supervised
  std::span<const int32_t> position_here;     // the same, in the host's memory
  SoftCrossEntropyResult result;              // written
  std::span<const float> scale = {};          // [K], K at most kMostLossDepths; read only when a gradient is wanted
  Tensor d_normed = {};                       // like normed, may be normed; written; undefined: no gradient is wanted
  Tensor d_lm_head = {};                      // [Vd, H] f32, accumulated with it
  int64_t chunk_bytes = int64_t{1331} << 20;  // of the logits that a GPU holds at a time, about
};
// Errors: Error{input} naming the tensor, expected and found; target_ids on a GPU are trusted.
void soft_cross_entropy(Exec&, const SoftCrossEntropy&);

// The teacher's choices. For a loss whose scale needs the count of learned rows before it (Normalize::micro_batch).
struct TeacherArgmax {
  ConstTensor hidden, target_lm_head;         // as above
  Tensor argmax;                              // [P] i32 written: a
  int64_t chunk_bytes = int64_t{1331} << 20;  // as above
};
void teacher_argmax(Exec&, const TeacherArgmax&);

namespace cuda {
void soft_cross_entropy(Exec&, const SoftCrossEntropy&);
void teacher_argmax(Exec&, const TeacherArgmax&);
}  // namespace cuda

}  // namespace eyrie
