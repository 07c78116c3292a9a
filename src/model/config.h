// model/config.h: what a config.json says, checked; Hugging Face's old and new spellings (spec §2, §7).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/json.h"

namespace eyrie {

enum class RopeKind { standard, linear, llama3, yarn };  // "default", "linear", "llama3", "yarn" in files

struct RopeConfig {
  RopeKind kind = RopeKind::standard;
  double theta = 10000;
  double factor = 1;
  double original_max_positions = 0;                           // llama3, yarn
  double low_frequency_factor = 1, high_frequency_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;                        // yarn
  std::optional<double> attention_factor = {};  // yarn: multiplies cos and sin; absent: 0.1 ln(factor) + 1
  bool truncate = true;                         // yarn: correction range rounded outwards to whole dimensions
};

// The geometry of one decoder layer, the same words for a target's and a draft's.
struct DecoderConfig {
  int64_t hidden = 0;       // H
  int64_t input_width = 0;  // of q, k, v: H in a target, 2H in a draft
  int64_t intermediate = 0;
  int64_t q_heads = 0, kv_heads = 0, head_dim = 0;
  float norm_eps = 1e-6f;
  bool qkv_bias = false, o_bias = false, mlp_bias = false;
  bool qk_norm = false;  // RMSNorm over head_dim on q and k before RoPE (Qwen3)
  RopeConfig rope;
  int64_t max_positions = 0;
  // Not computed: whole attention is the same up to that many tokens, so max_positions is at most the window. 0: none.
  int64_t window = 0;
  float softmax_scale() const;  // head_dim^-1/2
};

struct TargetConfig {
  std::string model_type;  // a row of the families table
  DecoderConfig decoder;
  int64_t layers = 0, vocabulary = 0;
  bool tied_embeddings = false;
  std::vector<int32_t> stop_ids;  // the config files' (io/eos_token_ids.h); whoever reads the tokenizer adds its own
  std::optional<int32_t> bos_id;
};

inline constexpr int64_t kUsualTaps = 3;

struct DraftConfig {
  DecoderConfig decoder;
  int64_t target_hidden = 0;                     // Ht
  int64_t vocabulary = 0, draft_vocabulary = 0;  // V, Vd
  std::vector<int64_t> tap_ids;  // *output* ids: taps leave these target layers. Empty in a file that names
                                 // none and when the target is unknown: resolve with default_tap_ids()
  std::string tap_rule;          // the sentence that says where tap_ids came from
  int64_t target_layers = 0;     // 0: unknown; else ids equal to the default are not written
  bool fc_norm = false, norm_before_fc = false, norm_before_residual = false, norm_output = false;
  int64_t taps() const { return tap_ids.empty() ? kUsualTaps : static_cast<int64_t>(tap_ids.size()); }
};

// Each reads config.json (its directory or the file itself; and generation_config.json beside it) of a directory.
// Errors: Error{file} with the key, expected and found; an unknown model_type names the supported ones; keys of a draft
// that make another computation are refused (draft_limits.h), unknown norm_* / fc_* keys too. A draft of model_type
// "qwen3" has norms on q and k, unless its weights say otherwise (load_draft). A draft file with both lists of tap ids
// is an export of ours (write_draft_config): the top-level one counts.
TargetConfig read_target_config(const std::string& directory);
DraftConfig read_draft_config(const std::string& directory);
bool calls_itself_draft(const std::string& directory);  // by its config.json, if there is one
// The config.json of a draft (spec §2 "Writing"). Tap ids are written as input ids, at the top and in eagle_config:
// what SGLang and vLLM both read; `reader` is "", "sglang" (which cannot be told to tap layer 0) or "vllm".
Json write_draft_config(const DraftConfig& config, const std::string& reader);

// [1, L/2-1, L-4] for L >= 7; below that Error{usage}: ids must be given.
std::vector<int64_t> default_tap_ids(int64_t layers);
inline bool has_default_tap_ids(int64_t layers) { return layers >= 7; }
// Once the target is known: fills ids that no file named with the default, checks the others against its layers.
void resolve_tap_ids(DraftConfig& draft, const TargetConfig& target);
// Error{kind} "tap-ids" for one that is no layer of the target: {usage} where the flag gave them.
void expect_tap_ids(const std::vector<int64_t>& ids, int64_t layers, ErrorKind kind = ErrorKind::usage);
void override_tap_ids(DraftConfig& draft, std::vector<int64_t> tap_ids);  // --tap-ids: output ids, as many as it reads
// A new draft for a target: its geometry, RoPE and max positions (spec §2 "New drafts"). No tap ids: the default.
DraftConfig derive_draft_config(const TargetConfig& target, int64_t draft_vocabulary,
                                std::vector<int64_t> tap_ids = {});
bool is_supported(std::string_view model_type);
std::string supported_model_types();  // "llama, …"

}  // namespace eyrie
