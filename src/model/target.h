// model/target.h: the target: a Hugging Face causal language model, frozen. Its forward gives the taps (residual stream
// leaving the tapped layers, un-normed) and the last hidden state (after the final norm); logits are asked for by rows.
#pragma once
#include <memory>
#include <span>

#include "model/attend.h"
#include "model/decoder.h"
#include "tensor/host_arrays.h"

namespace eyrie {

// Where the weights' memory lives: mapped files and converted copies. Views into it stay valid while it lives.
class WeightStorage;

struct Target {
  TargetConfig config;
  TargetTensors<ConstTensor> tensors;  // lm_head is always defined
  RopeTable rope;
  std::string fingerprint;  // hash of names, shapes and a sample of bytes of every tensor
  std::string directory;    // where it was read, for messages
  std::shared_ptr<const WeightStorage> storage;
};
// Errors: Error{file} per missing or misshapen tensor (name, expected, found).
Target load_target(const std::string& directory);

// What training from features needs of a target of any family: no family check.
struct TargetHeads {
  ConstTensor embedding;  // [V, H]
  ConstTensor lm_head;    // [V, Ht]
  ConstTensor norm;       // [Ht], f32, the last one; undefined in a family that we do not know
  std::shared_ptr<const WeightStorage> storage;
  std::string fingerprint = {};  // as of Target
};
inline constexpr const char *kLmHeadKey = "lm_head.weight", *kEmbeddingKey = "model.embed_tokens.weight";
TargetHeads heads_of(const Target&);
// Where the config ties them, lm_head is the embedding, unless it is asked for under another key than the usual one.
TargetHeads load_target_heads(const std::string& directory, const std::string& lm_head_key = kLmHeadKey,
                              const std::string& embedding_key = kEmbeddingKey);

struct TargetRows {
  ConstTensor token_ids;  // [rows] i32
  ConstTensor positions;  // [rows] i32
  std::span<const int64_t> tap_ids;
  Tensor taps;         // [rows, m·Ht] f32, written; may be undefined
  Tensor last_hidden;  // [rows, Ht] f32, written
};
void target_forward(Exec&, const Target&, const AttentionRows&, const TargetRows&);

// Packed sequences (spec §1): token_ids [T], cu_seqlens [B+1], on the host; causal within each sequence.
struct PackedTokens {
  std::span<const int32_t> token_ids, cu_seqlens;
};
// `arrays` are cleared first. Error{input} when cu_seqlens does not rise from 0 to T.
void forward_packed(Exec&, HostArrays& arrays, const Target&, const PackedTokens&, std::span<const int64_t> tap_ids,
                    Tensor taps, Tensor last_hidden);

// logits [rows, V] f32 = lm_head(last_hidden [rows, Ht]).
void target_logits(Exec&, const Target&, ConstTensor last_hidden, Tensor logits);

}  // namespace eyrie
