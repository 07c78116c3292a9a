// attention/cpu/loop.h: the one tile loop of a pass on the CPU. A backend calls it with its walk over the keys and
// the state that the lanes start from; it is never copied.
#pragma once
#include "attention/cpu/key_walk.h"

namespace eyrie::tiles {

struct Pass {
  const KeyWalk& walk;
  bool onto_output = false;  // the state starts as what the outputs hold (o and lse; d_q), else empty
  bool suffix = false;       // each row's own suffix keys come in before the walk
  bool keys = true;          // the walk; false: lane tiles alone
};

void forward(Exec& exec, const Pass& pass, const Tensor& o, const Tensor& lse);
void backward(Exec& exec, const Pass& pass, const SuffixAttentionBackward& grad);
// Of scratch, at most.
int64_t forward_bytes(const KeyWalk& walk);
int64_t backward_bytes(const KeyWalk& walk);

}  // namespace eyrie::tiles
