#include "model/draft_readers.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <set>

#include "base/named.h"
#include "model/config_keys.h"
#include "model/decoder_config.h"
#include "model/draft_vocabulary.h"

namespace eyrie {
namespace {

constexpr DraftReader kReaders[] = {
    {.name = "sglang", .first_one_is_output = true},
    {.name = "vllm", .taps_at_top = true, .norm_before_residual = true, .biases = true, .qk_norm = true},
};

// A directory as it lies there, against what its config.json describes and the reader knows.
class Check {
 public:
  Check(const std::string& directory, const DraftReader& reader)
      : path_(config_path(directory)),
        reader_(reader),
        json_(read_config_file(path_)),
        config_(draft_config_of(json_, path_)),
        storage_(directory) {}

  std::vector<std::string> run() {
    check_keys();
    check_taps();
    check_variants();
    check_tensors();
    check_vocabulary();
    return std::move(problems_);
  }

 private:
  template <typename... Values>
  void add(fmt::format_string<Values...> text, Values&&... values) {
    problems_.push_back(fmt::format(text, std::forward<Values>(values)...));
  }

  void expect_type(bool (Json::*is)() const, std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
      const Json* value = json_.find(key);
      if (!value || !(value->*is)()) add("config.json: {} is {}", key, value ? value->dump() : "missing");
    }
  }

  void check_keys() {
    expect_type(&Json::is_array, {"architectures"});
    expect_type(&Json::is_text, {"model_type", "hidden_act", "torch_dtype"});
    expect_type(&Json::is_integer,
                {"hidden_size", "target_hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                 "num_key_value_heads", "head_dim", "vocab_size", "draft_vocab_size", "max_position_embeddings"});
    expect_type(&Json::is_number, {"rms_norm_eps", "rope_theta"});
    expect_type(&Json::is_boolean, {"tie_word_embeddings", "norm_before_residual"});
    expect_type(&Json::is_object, {"rope_parameters", "eagle_config"});
    const Json* names = json_.find("architectures");
    const char* const architecture = draft_architecture(config_.decoder.qk_norm);
    if (names && names->dump().find(fmt::format("\"{}\"", architecture)) == std::string::npos)
      add("config.json: architectures does not name {}", architecture);
    const Json* rope = json_.find("rope_parameters");
    if (rope && rope->is_object() && (!rope->find("rope_theta") || !rope->find("rope_type")))
      add("config.json: rope_parameters lacks rope_theta or rope_type");
    if (boolean_or(json_, "tie_word_embeddings", false)) add("config.json: tie_word_embeddings replaces lm_head");
  }

  void check_taps() {
    const auto text = [](const std::vector<int64_t>& ids) {
      return ids.empty() ? "of its default" : fmt::format("{}", fmt::join(ids, ", "));
    };
    const Json* place = reader_.taps_at_top ? &json_ : json_.find("eagle_config");
    std::vector<int64_t> read;
    if (place) read = integers_or_none(*place, path_, "eagle_aux_hidden_state_layer_ids", 0, kMaxLayers);
    read = taps_read_by(reader_, std::move(read));
    if (read != config_.tap_ids) add("{} would tap layers {}, not {}", reader_.name, text(read), text(config_.tap_ids));
    if (integer_or(json_, "num_aux_hidden_states", kUsualTaps, 1, kMaxLayers) != config_.taps())
      add("config.json: num_aux_hidden_states is missing; {} would read {} taps, the draft has {}", reader_.name,
          kUsualTaps, config_.taps());
  }

  void check_variants() {
    const DecoderConfig& layer = config_.decoder;
    if (config_.norm_before_residual && !reader_.norm_before_residual)
      add("{} does not know norm_before_residual", reader_.name);
    if ((layer.qkv_bias || layer.mlp_bias) && !reader_.biases)
      add("{} leaves out the biases of the layer", reader_.name);
    if (layer.qk_norm && !reader_.qk_norm) add("{} has no draft layer with norms on q and k", reader_.name);
    if (layer.qk_norm && (layer.o_bias || layer.mlp_bias))
      add("{} has no biases of o and the MLP beside norms on q and k", reader_.name);
  }

  // No engine knows another name than ours for a tensor, and none may be left over.
  void check_tensors() {
    std::set<std::string> known = {"d2t", "t2d"};
    const auto check = [&](const std::string& name, const Shape& expected, const auto&) {
      known.insert(name);
      const ConstTensor* found = storage_.files().find(name);
      if (!found) return add("model.safetensors: {} is missing", name);
      if (found->shape != expected)
        add("model.safetensors: {} has shape {}, expected {}", name, to_string(found->shape), to_string(expected));
      if (torch_dtype(found->dtype) != text_or(json_, "torch_dtype", ""))
        add("model.safetensors: {} is {}, torch_dtype says otherwise", name, eyrie::name(found->dtype));
    };
    DraftTensors<ConstTensor> none;
    for_each_tensor(config_, none, check);
    const std::string embedding = "embed_tokens.weight";  // or the target's
    if (storage_.files().find(embedding)) check(embedding, {config_.vocabulary, config_.decoder.hidden}, none.fc);
    for (const auto& [name, tensor] : storage_.files().tensors())
      if (!known.contains(name)) add("model.safetensors: {} is a tensor that {} does not know", name, reader_.name);
  }

  void check_vocabulary() {
    try {
      const bool pruned = !read_draft_vocabulary(storage_, config_).vocabulary.d2t.empty();
      if (!pruned && storage_.files().find("d2t")) add("model.safetensors: d2t beside a full vocabulary");
      if (pruned && !storage_.files().find("t2d")) add("model.safetensors: t2d is missing");
    } catch (const Error& error) {
      problems_.push_back(error.what());
    }
  }

  std::string path_;
  const DraftReader& reader_;
  Json json_;
  DraftConfig config_;
  WeightStorage storage_;
  std::vector<std::string> problems_;
};

}  // namespace

const DraftReader& find_draft_reader(const std::string& name) {
  if (const DraftReader* found = find_named(kReaders, name)) return *found;
  throw Error(ErrorKind::usage, "--for", fmt::format("\"{}\" is not known; known: {}", name, names_of(kReaders)));
}

std::vector<int64_t> taps_read_by(const DraftReader& reader, std::vector<int64_t> written) {
  if (written.empty() || (reader.first_one_is_output && written.front() == 1)) return written;
  for (int64_t& id : written) --id;
  return written;
}

const char* draft_architecture(bool qk_norm) { return qk_norm ? "Eagle3Qwen3ForCausalLM" : "LlamaForCausalLMEagle3"; }

std::vector<std::string> export_problems(const std::string& directory, const DraftReader& reader) {
  return Check(directory, reader).run();
}

}  // namespace eyrie
