// train/train_state.h: all that a run changes from step to step, and what is done to all of a draft's tensors at once.
#pragma once
#include "io/safetensors.h"
#include "model/draft.h"
#include "tensor/exec.h"
#include "train/optimizer.h"

namespace eyrie {

struct TrainState {
  Draft draft = {};  // its tensors view `weights`
  Parameters weights = {};
  Parameters gradients = {};           // no memory before begin_training()
  Parameters first = {}, second = {};  // moments of AdamW; likewise, unless a resumed run brought them
  int64_t applied = 0;                 // steps
  NormHistory norms = {};              // of their gradients
};
// A draft to be trained from weights that belong to the state from now on.
TrainState make_state(Draft draft, Parameters weights);
// The same from f32 copies of a draft's own.
TrainState copy_state(const Draft& draft);
// Memory for gradients and moments, zero.
void begin_training(TrainState&);

// The square root of the sum of all squares: of each tensor in blocks, in the list's order, whatever the threads are.
double l2_norm(Exec&, const DraftConfig&, const Parameters&);
// weights -= update, as learning rate and the clipped gradient have it; for a step that is judged fine or a spike.
void apply_step(Exec&, const OptimizerOptions&, double gradient_norm, double learning_rate, TrainState&);

// In the order and by the names of a draft file; `prefix` stands before each name.
std::vector<NamedTensor> named_tensors(const DraftConfig&, const Parameters&, const std::string& prefix = "");

}  // namespace eyrie
