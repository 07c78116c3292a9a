// data/features.h: captured features (spec §7): per packed batch one safetensors file features-NNNNN.safetensors with
//   input_ids i64 [T], cu_seqlens i32 [B+1], aux_hidden_states f32|bf16|f16 [T, m·Ht], last_hidden_states [T, Ht]
//   (after the target's final norm), loss_mask u8 [T]; metadata: format version, target fingerprint, tap ids, tokenizer
//   hash.
// A step dump is the same file under the name batch.safetensors with more tensors in it.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "data/packing.h"
#include "io/safetensors.h"

namespace eyrie {

struct FeatureInfo {
  std::string target_fingerprint;
  std::vector<int64_t> tap_ids;  // output ids (spec §2)
  std::string tokenizer_hash;
  std::string template_hash = {},
              template_date = {};  // of the chat template, the date where it tells one; empty without
};

struct FeatureBatch {
  SafetensorsFile file;
  PackedBatch tokens;
  ConstTensor taps;         // [T, m·Ht], a view of the file
  ConstTensor last_hidden;  // [T, Ht]
  FeatureInfo info;         // empty strings and ids where the file names none
};
// Checks every tensor against the others, and that states are finite (a NaN is found here, not after an epoch). Errors:
// Error{file} naming path, tensor, expected and found.
FeatureBatch read_features(const std::string& path);

// The features-*.safetensors of a directory, in order; Error{file} when there is none.
std::vector<std::string> feature_files(const std::string& directory);
std::string feature_file_name(int64_t index);

struct FeatureTensors {
  const PackedBatch& tokens;
  ConstTensor taps, last_hidden;        // written as they are
  std::vector<NamedTensor> extra = {};  // of a step dump
};
void write_features(const std::string& path, const FeatureTensors&, const FeatureInfo&);

}  // namespace eyrie
