// ops/soft_cross_entropy.h: the loss of every TTT depth in one pass over the teacher (docs/math.md, "Loss").
//
// Teacher at position j: y = target_lm_head hidden[j] over V, a = argmax y (the lowest id wins a tie),
//   p  = softmax of y over the draft vocabulary's columns,   p' = softmax of y over V.
// Draft of row r at depth k, with j = position[k, r]: z = lm_head normed[k, r] over Vd, c = target id of argmax z.
//   loss = -sum_v p(v) log softmax(z)(v)   where a is in the draft vocabulary; elsewhere nothing is learned
//   d_z  = scale[k] (softmax(z) - p)
// A position's logits are computed once for all depths, by panels of the vocabulary: no [T, V] tensor exists.
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

struct SoftCrossEntropyResult {
  Tensor loss;     // [K, R] f32 written; 0 where nothing is learned
  Tensor accept;   // [K, R] f32 written: p'(c); 0 where unsupervised
  Tensor outcome;  // [K, R] u8 written: RowOutcome
};

struct SoftCrossEntropy {
  ConstTensor hidden;                 // [T, Ht] f32, the target's last hidden states
  ConstTensor target_lm_head;         // [V, Ht] f32 | bf16 | f16
  ConstTensor target_ids;             // [Vd] i32 ascending, the target id of each draft id; undefined: Vd = V, the same
  ConstTensor normed;                 // [K, R, H] f32
  ConstTensor lm_head;                // [Vd, H] f32
  ConstTensor position;               // [K, R] i32, 0..T-1 ascending along each depth, or -1: not supervised
  SoftCrossEntropyResult result;      // written
  std::span<const float> scale = {};  // [K]; read only when a gradient is wanted
  Tensor d_normed = {};               // [K, R, H] f32, written; undefined: no gradient is wanted
  Tensor d_lm_head = {};              // [Vd, H] f32, accumulated with it
};
// Errors: Error{input} naming the tensor, expected and found.
void soft_cross_entropy(Exec&, const SoftCrossEntropy&);

// Of the same inputs, argmax [T] i32 written: a at every position that `position` names, -1 elsewhere. For a loss whose
// scale needs the count of learned rows before it (Normalize::micro_batch).
void teacher_argmax(Exec&, const SoftCrossEntropy&, Tensor argmax);

}  // namespace eyrie
