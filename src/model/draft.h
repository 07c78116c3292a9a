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
struct FcSaved {
  Tensor normed_taps;  // [rows, m·Ht]; undefined when the config has no norm before fc
};
FcSaved take_fc(Scratch&, const DraftConfig&, int64_t rows);
void fc(Exec&, const DraftConfig&, const DraftTensors<ConstTensor>&, ConstTensor taps, const FcSaved&, Tensor h);
void fc_backward(Exec&, const DraftConfig&, const DraftTensors<ConstTensor>&, ConstTensor taps, const FcSaved&,
                 ConstTensor d_h, const DraftTensors<Tensor>& gradients);

// ---- input of one depth
struct DepthInput {
  ConstTensor token_ids;  // [rows] i32
  ConstTensor embedding;  // [V, H]
  ConstTensor h;          // [rows, H]
  Tensor x;               // [rows, 2H] written
  Tensor residual;        // [rows, H] written with norm_before_residual; else undefined: the residual is h
};
void depth_input(Exec&, const DraftConfig&, const DraftTensors<ConstTensor>&, const DepthInput&);

struct DepthInputBackward {
  ConstTensor token_ids, embedding, h;  // as in forward
  ConstTensor d_x;                      // [rows, 2H]
  ConstTensor d_residual;               // [rows, H]
  Tensor d_h;                           // [rows, H] written
};
void depth_input_backward(Exec&, const DraftConfig&, const DraftTensors<ConstTensor>&, const DepthInputBackward&,
                          const DraftTensors<Tensor>& gradients);

// ---- one depth when serving (no gradients kept): rows of any sequences, attention by the caller (layer index 0)
struct DraftRows {
  ConstTensor token_ids;  // [rows] i32, target ids: token i+1 at slot i
  ConstTensor positions;  // [rows] i32
  ConstTensor h;          // [rows, H]: fc(taps) or the next_h of the row before
  Tensor next_h;          // [rows, H] written: what the next chain step receives; may be h's own memory
  Tensor normed;          // [rows, H] written: lm_head's input
};
void forward(Exec&, const Draft&, const DraftRows&, const Attend&);
// logits [rows, Vd] f32 = lm_head(normed).
void draft_logits(Exec&, const Draft&, ConstTensor normed, Tensor logits);

}  // namespace eyrie
