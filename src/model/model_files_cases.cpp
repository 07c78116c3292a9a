#include "model/model_files_cases.h"

namespace eyrie {

const char* const kSmallTarget = R"({"model_type": "llama", "hidden_size": 8, "intermediate_size": 12,
  "num_hidden_layers": 7, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 11,
  "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 5000.0, "tie_word_embeddings": false,
  "bos_token_id": 1, "eos_token_id": 2})";

const char* const kSmallDraft = R"({"architectures": ["LlamaForCausalLMEagle3"], "model_type": "llama",
  "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 4,
  "num_key_value_heads": 2, "vocab_size": 11, "draft_vocab_size": 5, "max_position_embeddings": 64,
  "rms_norm_eps": 1e-5, "rope_theta": 5000.0, "norm_before_residual": false})";

std::string changed(const std::string& json, const std::string& changes) {
  Json object = Json::parse(json, "test");
  const Json members = Json::parse(changes, "changes");
  for (const auto& [key, value] : members.as_members()) object.set(key, value);
  return object.dump();
}

std::string without(const std::string& json, const std::string& key) {
  Json object = Json::object();
  const Json parsed = Json::parse(json, "test");
  for (const auto& [name, value] : parsed.as_members())
    if (name != key) object.set(name, value);
  return object.dump();
}

std::string error_of(const ModelDirectory& directory, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    std::string text = error.what();
    for (size_t at; (at = text.find(directory.path())) != std::string::npos;)
      text.replace(at, directory.path().size(), "DIR");
    return text;
  }
  return "";
}

std::string target_config_error(const std::string& config) {
  const ModelDirectory directory(config);
  return error_of(directory, [&] { read_target_config(directory.path()); });
}

std::string draft_config_error(const std::string& config) {
  const ModelDirectory directory(config);
  return error_of(directory, [&] { read_draft_config(directory.path()); });
}

void TensorFile::add(const std::string& name, const Shape& shape, DType dtype) {
  const bool number = dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
  set(name, number ? memory_.normal(name, shape, 1, dtype) : memory_.zeros(name, shape, dtype));
}

void TensorFile::rename(const std::string& from, const std::string& to) {
  set(to, at(from));
  remove(from);
}

void TensorFile::write(const ModelDirectory& directory) const {
  std::vector<NamedTensor> list;
  for (const auto& [name, tensor] : tensors_) list.push_back({name, tensor});
  write_safetensors(directory.directory.file("model.safetensors"), list);
}

TensorFile target_file(const ModelDirectory& directory, const std::string& seed) {
  TensorFile file(seed);
  TargetTensors<ConstTensor> tensors;
  for_each_tensor(read_target_config(directory.path()), tensors,
                  [&](const std::string& name, const Shape& shape, ConstTensor&) { file.add(name, shape); });
  return file;
}

TensorFile draft_file(const ModelDirectory& directory, const std::string& seed) {
  TensorFile file(seed);
  const DraftConfig config = read_draft_config(directory.path());
  DraftTensors<ConstTensor> tensors;
  for_each_tensor(config, tensors,
                  [&](const std::string& name, const Shape& shape, ConstTensor&) { file.add(name, shape); });
  if (config.draft_vocabulary == config.vocabulary) return file;
  file.add("d2t", {config.draft_vocabulary}, DType::i64);
  file.add("t2d", {config.vocabulary}, DType::boolean);
  for (int64_t i = 0; i < config.draft_vocabulary; ++i) {
    const_cast<int64_t*>(file.at("d2t").as<int64_t>())[i] = i;
    const_cast<bool*>(file.at("t2d").as<bool>())[2 * i] = true;
  }
  return file;
}

}  // namespace eyrie
