// model/draft_readers.h: the engines that drafts are exported for, and what each does with one, a row each. Sources:
// SGLang srt/models/llama_eagle3.py and pull requests 25454, 24663 (any number of taps); vLLM
// model_executor/models/llama_eagle3.py and qwen3_eagle3.py (norms on q and k, any number of taps).
#pragma once
#include <string>
#include <vector>

namespace eyrie {

struct DraftReader {
  const char* name;
  bool taps_at_top;           // reads top-level eagle_aux_hidden_state_layer_ids; else eagle_config's
  bool first_one_is_output;   // takes ids that begin with 1 for output ids; all others are input ids
  bool norm_before_residual;  // knows the key; else the residual is h whatever the file says
  bool biases;                // of q, k, v and the MLP
  bool qk_norm;               // has a layer with norms on q and k
};

// Error{usage} with the list when the name is not one of them.
const DraftReader& find_draft_reader(const std::string& name);
// The layers that the reader would tap for these ids (output ids); empty in, empty out: its default.
std::vector<int64_t> taps_read_by(const DraftReader& reader, std::vector<int64_t> written);

}  // namespace eyrie
