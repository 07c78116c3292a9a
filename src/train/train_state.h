// train/train_state.h: all that a run changes from step to step, and what is done to all of a draft's tensors at once.
#pragma once
#include "io/safetensors.h"
#include "model/device_copies.h"
#include "model/draft.h"
#include "tensor/exec.h"
#include "train/optimizer.h"

namespace eyrie {

struct TrainState {
  Draft draft = {};         // its tensors view `weights`, or where there is one `working`
  Parameters weights = {};  // f32
  // On a GPU, of the activations' type: `weights` rounded. Norms are read as they are.
  Parameters working = {};
  Parameters gradients = {};           // no memory before begin_training()
  Parameters first = {}, second = {};  // moments of AdamW; likewise, unless a resumed run brought them
  int64_t applied = 0;                 // steps
  NormHistory norms = {};              // of their gradients
};
// A draft to be trained from weights that belong to the state from now on.
TrainState make_state(Draft draft, Parameters weights);
// The same from f32 copies of a draft's own.
TrainState copy_state(const Draft& draft);
// The tensors to be computed with: norms of `weights`, all else of `working`.
DraftTensors<ConstTensor> working_views(const DraftConfig&, const Parameters& weights, const Parameters& working);
// Memory for gradients and moments, zero.
void begin_training(Exec&, TrainState&);
// On a GPU: all of it moves to exec's device, the embedding by `copies`, which must outlive the state. Waits.
void send_state(Exec&, DeviceCopies& copies, TrainState&);
// The state on the CPU without its gradients, for files and for serving; `embedding` is the draft's there. Waits.
TrainState read_back(Exec&, const TrainState&, const ConstTensor& embedding);

// The square root of the sum of all squares: of each tensor in blocks, in the list's order, whatever the threads are;
// on a GPU of all at once. Waits there for all that came before.
double l2_norm(Exec&, const DraftConfig&, const Parameters&);
// weights -= update, as learning rate and the clipped gradient have it; for a step that is judged fine or a spike.
void apply_step(Exec&, const OptimizerOptions&, double gradient_norm, double learning_rate, TrainState&);

// In the order and by the names of a draft file; `prefix` stands before each name.
std::vector<NamedTensor> named_tensors(const DraftConfig&, const Parameters&, const std::string& prefix = "");

}  // namespace eyrie
