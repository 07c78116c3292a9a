#include "model/export_check.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <set>

#include "model/config_keys.h"
#include "model/decoder_config.h"
#include "model/draft_readers.h"
#include "model/draft_vocabulary.h"

namespace eyrie {
namespace {

enum class Extent { none, hidden, twice_hidden, taps, head, queries, keys, intermediate, vocabulary, draft_vocabulary };

struct TensorNeed {
  const char* name;
  Extent rows;
  Extent columns = Extent::none;
  enum class When { always, norm_before_fc, qk_norm, attention_bias, mlp_bias, optional } when = When::always;
};
using When = TensorNeed::When;

constexpr TensorNeed kTensors[] = {
    {"fc.weight", Extent::hidden, Extent::taps},
    {"midlayer.input_layernorm.weight", Extent::hidden},
    {"midlayer.hidden_norm.weight", Extent::hidden},
    {"midlayer.self_attn.q_proj.weight", Extent::queries, Extent::twice_hidden},
    {"midlayer.self_attn.k_proj.weight", Extent::keys, Extent::twice_hidden},
    {"midlayer.self_attn.v_proj.weight", Extent::keys, Extent::twice_hidden},
    {"midlayer.self_attn.o_proj.weight", Extent::hidden, Extent::queries},
    {"midlayer.post_attention_layernorm.weight", Extent::hidden},
    {"midlayer.mlp.gate_proj.weight", Extent::intermediate, Extent::hidden},
    {"midlayer.mlp.up_proj.weight", Extent::intermediate, Extent::hidden},
    {"midlayer.mlp.down_proj.weight", Extent::hidden, Extent::intermediate},
    {"norm.weight", Extent::hidden},
    {"lm_head.weight", Extent::draft_vocabulary, Extent::hidden},
    {"embed_tokens.weight", Extent::vocabulary, Extent::hidden, When::optional},
    {"input_norm.weight", Extent::taps, Extent::none, When::norm_before_fc},
    {"midlayer.self_attn.q_norm.weight", Extent::head, Extent::none, When::qk_norm},
    {"midlayer.self_attn.k_norm.weight", Extent::head, Extent::none, When::qk_norm},
    {"midlayer.self_attn.q_proj.bias", Extent::queries, Extent::none, When::attention_bias},
    {"midlayer.self_attn.k_proj.bias", Extent::keys, Extent::none, When::attention_bias},
    {"midlayer.self_attn.v_proj.bias", Extent::keys, Extent::none, When::attention_bias},
    {"midlayer.self_attn.o_proj.bias", Extent::hidden, Extent::none, When::attention_bias},
    {"midlayer.mlp.gate_proj.bias", Extent::intermediate, Extent::none, When::mlp_bias},
    {"midlayer.mlp.up_proj.bias", Extent::intermediate, Extent::none, When::mlp_bias},
    {"midlayer.mlp.down_proj.bias", Extent::hidden, Extent::none, When::mlp_bias},
};

struct KeyNeed {
  const char* key;
  bool (Json::*is)() const;
};

constexpr KeyNeed kKeys[] = {
    {"architectures", &Json::is_array},
    {"model_type", &Json::is_text},
    {"hidden_size", &Json::is_integer},
    {"target_hidden_size", &Json::is_integer},
    {"intermediate_size", &Json::is_integer},
    {"num_hidden_layers", &Json::is_integer},
    {"num_attention_heads", &Json::is_integer},
    {"num_key_value_heads", &Json::is_integer},
    {"head_dim", &Json::is_integer},
    {"hidden_act", &Json::is_text},
    {"rms_norm_eps", &Json::is_number},
    {"vocab_size", &Json::is_integer},
    {"draft_vocab_size", &Json::is_integer},
    {"max_position_embeddings", &Json::is_integer},
    {"tie_word_embeddings", &Json::is_boolean},
    {"norm_before_residual", &Json::is_boolean},
    {"torch_dtype", &Json::is_text},
    {"rope_theta", &Json::is_number},
    {"rope_parameters", &Json::is_object},
    {"eagle_config", &Json::is_object},
};

class Check {
 public:
  Check(const std::string& directory, const DraftReader& reader)
      : path_(config_path(directory)),
        reader_(reader),
        json_(Json::parse_file(path_)),
        config_(read_draft_config(directory)),
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

  void check_keys() {
    for (const KeyNeed& need : kKeys) {
      const Json* value = json_.find(need.key);
      if (!value || !(value->*need.is)()) add("config.json: {} is {}", need.key, value ? value->dump() : "missing");
    }
    const Json* names = json_.find("architectures");
    const char* const architecture = config_.decoder.qk_norm ? "Eagle3Qwen3ForCausalLM" : "LlamaForCausalLMEagle3";
    if (names && names->dump().find(fmt::format("\"{}\"", architecture)) == std::string::npos)
      add("config.json: architectures does not name {}", architecture);
    const Json* rope = json_.find("rope_parameters");
    if (rope && rope->is_object() && (!rope->find("rope_theta") || !rope->find("rope_type")))
      add("config.json: rope_parameters lacks rope_theta or rope_type");
    if (boolean_or(json_, "tie_word_embeddings", false)) add("config.json: tie_word_embeddings replaces lm_head");
  }

  void check_taps() {
    const Json* eagle = json_.find("eagle_config");
    const Json nothing = Json::object();
    const Json& place = reader_.taps_at_top ? json_ : eagle ? *eagle : nothing;
    const auto read =
        taps_read_by(reader_, integers_or_none(place, path_, "eagle_aux_hidden_state_layer_ids", 0, kMaxLayers));
    if (read != config_.tap_ids) add("{} would tap layers {}, not {}", reader_.name, text(read), text(config_.tap_ids));
    if (integer_or(json_, "num_aux_hidden_states", 3, 1, kMaxLayers) != config_.taps())
      add("config.json: num_aux_hidden_states is missing; {} would read 3 taps, the draft has {}", reader_.name,
          config_.taps());
  }

  void check_variants() {
    if (config_.norm_before_residual && !reader_.norm_before_residual)
      add("{} does not know norm_before_residual", reader_.name);
    if ((config_.decoder.qkv_bias || config_.decoder.mlp_bias) && !reader_.biases)
      add("{} leaves out the biases of the layer", reader_.name);
    if (config_.decoder.qk_norm && !reader_.qk_norm) add("{} has no draft layer with norms on q and k", reader_.name);
    if (config_.decoder.qk_norm && (config_.decoder.o_bias || config_.decoder.mlp_bias))
      add("{} has no biases of o and the MLP beside norms on q and k", reader_.name);
  }

  void check_tensors() {
    std::set<std::string> known = {"d2t", "t2d"};
    for (const TensorNeed& need : kTensors) check_tensor(need.name, shape(need), need.when, known);
    for (int64_t i = 0; config_.fc_norm && i < config_.taps(); ++i)
      check_tensor(fmt::format("fc_norm.{}.weight", i), {config_.target_hidden}, When::always, known);
    for (const auto& [name, tensor] : storage_.files().tensors())
      if (!known.count(name)) add("model.safetensors: {} is a tensor that {} does not know", name, reader_.name);
  }

  void check_tensor(const std::string& name, const Shape& expected, When when, std::set<std::string>& known) {
    if (!wanted(when)) return;
    known.insert(name);
    const ConstTensor* found = storage_.files().find(name);
    if (!found) {
      if (when != When::optional) add("model.safetensors: {} is missing", name);
      return;
    }
    if (found->shape != expected)
      add("model.safetensors: {} has shape {}, expected {}", name, to_string(found->shape), to_string(expected));
    if (torch_dtype(found->dtype) != text_or(json_, "torch_dtype", ""))
      add("model.safetensors: {} is {}, torch_dtype says otherwise", name, eyrie::name(found->dtype));
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

  bool wanted(When when) const {
    switch (when) {
      case When::norm_before_fc:
        return config_.norm_before_fc;
      case When::qk_norm:
        return config_.decoder.qk_norm;
      case When::attention_bias:
        return config_.decoder.qkv_bias;
      case When::mlp_bias:
        return config_.decoder.mlp_bias;
      default:
        return true;
    }
  }

  int64_t size(Extent extent) const {
    const DecoderConfig& layer = config_.decoder;
    const int64_t sizes[] = {0,
                             layer.hidden,
                             2 * layer.hidden,
                             config_.taps() * config_.target_hidden,
                             layer.head_dim,
                             layer.q_heads * layer.head_dim,
                             layer.kv_heads * layer.head_dim,
                             layer.intermediate,
                             config_.vocabulary,
                             config_.draft_vocabulary};
    return sizes[static_cast<size_t>(extent)];
  }
  Shape shape(const TensorNeed& need) const {
    return need.columns == Extent::none ? Shape{size(need.rows)} : Shape{size(need.rows), size(need.columns)};
  }

  static std::string text(const std::vector<int64_t>& ids) {
    return ids.empty() ? "of its default" : fmt::format("{}", fmt::join(ids, ", "));
  }

  std::string path_;
  const DraftReader& reader_;
  Json json_;
  DraftConfig config_;
  WeightStorage storage_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> export_problems(const std::string& directory, const std::string& reader) {
  return Check(directory, find_draft_reader(reader)).run();
}

}  // namespace eyrie
