// model/random_model.h: models of random weights in memory, for benchmarks and tests. Norms lie around one, embeddings
// have variance 1, every other matrix 1/fan_in, so activations keep unit scale through any number of layers. A tensor
// depends on `seed` and its own name alone.
#pragma once
#include <string_view>

#include "model/draft.h"

namespace eyrie {

// Matrices in `dtype` (f32 or bf16), vectors f32.
Target random_target(std::string_view seed, const TargetConfig& config, DType dtype);
// Its draft vocabulary is spread evenly over the target's. `heads` gives the embedding, and is kept;
// a draft of another width (H != Ht) makes its own.
Draft random_draft(std::string_view seed, const DraftConfig& config, const TargetHeads& heads, DType dtype);

}  // namespace eyrie
