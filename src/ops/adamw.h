// ops/adamw.h: one step of AdamW on one tensor, all f32. With g = gradient_scale gradient and t = step, counted from 1:
//   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g²
//   w = w - learning_rate (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay w)
#pragma once
#include "tensor/exec.h"

namespace eyrie {

struct AdamW {
  Tensor weight;                       // written; contiguous
  ConstTensor gradient;                // like weight
  Tensor first_moment, second_moment;  // like weight, written: m, v
  double gradient_scale = 1, learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  int64_t step = 1;
  Tensor working = {};  // bf16, like weight, written: its rounded value; undefined: none. On a GPU alone: Error{input}
};
void adamw(Exec&, const AdamW&);  // the same bits on every device
namespace cuda {
void adamw(Exec&, const AdamW&);
}

}  // namespace eyrie
