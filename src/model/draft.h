// model/draft.h: the EAGLE-3 draft (Llama form), spec §2. One depth is
//   x = [RMS_in(e) ; RMS_hid(h)],  q k v = W x,  attention (the caller's),  h2 = layer(residual, attention),
//   normed = RMS_norm(h2),  logits = lm_head(normed),  next h = h2 (or normed with norm_output)
// residual = h, or RMS_hid(h) with norm_before_residual. h of depth 0 = fc(taps). The same functions serve and train.
#pragma once
#include <vector>

#include "model/target.h"

namespace eyrie {

// Draft vocabulary (spec §6). Empty d2t: Vd = V and ids are the same.
struct DraftVocabulary {
  std::vector<int64_t> d2t;  // offsets: target id of draft id i is i + d2t[i]
  std::vector<uint8_t> t2d;  // [V] 1 where the target id is in the draft vocabulary
  int64_t target_id(int64_t draft_id) const {
    return d2t.empty() ? draft_id : draft_id + d2t[static_cast<size_t>(draft_id)];
  }
};

struct Draft {
  DraftConfig config;
  DraftTensors<ConstTensor> tensors;
  ConstTensor embedding;  // [V, H], frozen: the draft file's own if it has one, else the target's
  bool own_embedding = false;
  DraftVocabulary vocabulary;
  RopeTable rope;
  std::string directory;  // as of Target
  std::shared_ptr<const WeightStorage> storage;
};
// `heads` gives the embedding when the draft file has none. Reads midlayer.* and layers.0.*; checks d2t against t2d and
// V. A file that holds more than is computed is refused by name (model/draft_limits.h).
Draft load_draft(const std::string& directory, const TargetHeads& heads);
// Without a target: `embedding` stays undefined when the file has none. For looking at a draft, not for running it.
Draft load_draft_alone(const std::string& directory);
std::string norm_output_note();  // what our reading of the key is, and that it has another
// True when the directory holds a draft: its config.json calls it one, or its weights have fc.weight.
bool is_draft(const std::string& directory);

// config.json and model.safetensors (dtype bf16 or f32) into an existing directory; `reader` as in write_draft_config.
struct DraftExport {
  const DraftConfig& config;
  const DraftTensors<ConstTensor>& tensors;
  const DraftVocabulary& vocabulary;
  ConstTensor embedding;  // written when defined (H != Ht, or a reader that needs it)
  DType dtype = DType::bf16;
  std::string reader;
};
void write_draft(const std::string& directory, const DraftExport&);

// ---- h of depth 0
// What the matrix read [rows, m·Ht]: the taps [rows, m·Ht], or their norms in exec's scratch; backward reads it again.
ConstTensor fc(Exec&, const Draft&, ConstTensor taps, Tensor h);
void fc_backward(Exec&, const Draft&, ConstTensor taps, ConstTensor read, ConstTensor d_h,
                 const DraftTensors<Tensor>& gradients);

// ---- the ends of one depth, around the decoder layer
struct DepthInput {
  ConstTensor token_ids;  // [rows] i32
  ConstTensor h;          // [rows, H]
  Tensor x;               // [rows, 2H] written
};
// The residual [rows, H]: h, or what is made of it in exec's scratch.
ConstTensor depth_input(Exec&, const Draft&, const DepthInput&);

struct DepthInputBackward {
  ConstTensor token_ids, h;  // as in forward
  ConstTensor d_x;           // [rows, 2H]
  ConstTensor d_residual;    // [rows, H]
  Tensor d_h;                // [rows, H] written; may be d_residual
};
void depth_input_backward(Exec&, const Draft&, const DepthInputBackward&, const DraftTensors<Tensor>& gradients);

// Writes normed [rows, H], lm_head's input. The state that the next depth receives [rows, H]: h2 or normed.
Tensor depth_output(Exec&, const Draft&, Tensor h2, Tensor normed);

struct DepthOutputBackward {
  ConstTensor h2;   // as in forward
  Tensor d_normed;  // [rows, H]
  Tensor d_state;   // [rows, H]; either of the two may be changed
};
// d_h2 [rows, H]: d_state's memory, or exec's scratch.
Tensor depth_output_backward(Exec&, const Draft&, const DepthOutputBackward&, const DraftTensors<Tensor>& gradients);

// ---- one depth, no gradients kept: rows of any sequences. The first ones are there for their keys and values alone.
struct DraftDepth {
  ConstTensor token_ids;  // [rows] i32, target ids: token i+1 at slot i
  ConstTensor positions;  // [rows] i32
  ConstTensor h;          // [rows, H]: fc(taps) or the state of the row before
  Tensor h2, normed;      // [n, H] written, of the last n rows; either may be h's own memory
};
// Their state [n, H], as of depth_output.
Tensor draft_depth(Exec&, const Draft&, const AttentionRows&, const DraftDepth&);
// logits [rows, Vd] f32 = lm_head(normed).
void draft_logits(Exec&, const Draft&, ConstTensor normed, Tensor logits);

}  // namespace eyrie
