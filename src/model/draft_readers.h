// model/draft_readers.h: the engines that drafts are exported for, what each does with one, a row each, and whether it
// reads a directory as it is meant. Sources: SGLang srt/models/llama_eagle3.py and pull requests 25454, 24663 (any
// number of taps); vLLM model_executor/models/llama_eagle3.py and qwen3_eagle3.py (norms on q and k, any number of
// taps).
#pragma once
#include <string>
#include <vector>

namespace eyrie {

struct DraftReader {
  const char* name;
  bool taps_at_top = false;           // reads top-level eagle_aux_hidden_state_layer_ids; else eagle_config's
  bool first_one_is_output = false;   // takes ids that begin with 1 for output ids; all others are input ids
  bool norm_before_residual = false;  // knows the key; else the residual is h whatever the file says
  bool biases = false;                // of q, k, v and the MLP
  bool qk_norm = false;               // has a layer with norms on q and k
};

// Error{usage} with the list when the name is not one of them.
const DraftReader& find_draft_reader(const std::string& name);
// The layers that the reader would tap for these ids (output ids); empty in, empty out: its default.
std::vector<int64_t> taps_read_by(const DraftReader& reader, std::vector<int64_t> written);
// What all of them call a draft whose layer has norms on q and k, or has none.
const char* draft_architecture(bool qk_norm);

// One sentence for each thing of a draft directory that the reader would miss or read otherwise: keys, d2t, both RoPE
// spellings, tap ids, variants; names, shapes and dtypes of the tensors. Empty: it fits.
std::vector<std::string> export_problems(const std::string& directory, const DraftReader& reader);

}  // namespace eyrie
