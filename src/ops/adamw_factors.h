// ops/adamw_factors.h: the numbers of a step of AdamW, rounded once for all its elements. Private to the room.
#pragma once
#include <cmath>

#include "ops/adamw.h"

namespace eyrie {

struct AdamWFactors {
  float scale, epsilon;
  float beta1, rest1, beta2, rest2;
  float rate, unbias;  // learning_rate / (1 - beta1^t), 1 / sqrt(1 - beta2^t)
  float decay;
};
inline AdamWFactors adamw_factors(const AdamW& op) {
  const auto step = static_cast<double>(op.step);
  return {.scale = static_cast<float>(op.gradient_scale),
          .epsilon = static_cast<float>(op.epsilon),
          .beta1 = static_cast<float>(op.beta1),
          .rest1 = static_cast<float>(1 - op.beta1),
          .beta2 = static_cast<float>(op.beta2),
          .rest2 = static_cast<float>(1 - op.beta2),
          .rate = static_cast<float>(op.learning_rate / (1 - std::pow(op.beta1, step))),
          .unbias = static_cast<float>(1 / std::sqrt(1 - std::pow(op.beta2, step))),
          .decay = static_cast<float>(op.learning_rate * op.weight_decay)};
}

}  // namespace eyrie
