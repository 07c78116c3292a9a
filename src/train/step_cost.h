// train/step_cost.h: the floating-point operations of one micro-batch, by kind of work (a multiply-add is two). Counted
// is what the step computes: products with weights, attention, logits; rows that ride along are computed, so counted.
// Norms, activations and softmax are not. Backward of a product costs twice its forward (fc: once, nothing is below
// it), of attention 5/2 of it.
#pragma once
#include "data/supervision.h"
#include "model/config.h"
#include "train/work.h"

namespace eyrie {

WorkShares step_flops(const DraftConfig& config, const Supervision& supervision);
// The target's forward over packed sequences, without its logits (those that are needed belong to the loss).
double target_flops(const TargetConfig& config, std::span<const int32_t> cu_seqlens);

}  // namespace eyrie
