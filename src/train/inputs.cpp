#include "train/inputs.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "attention/suffix_attention.h"
#include "base/log.h"
#include "data/vocabulary.h"
#include "model/rope_frequencies.h"
#include "train/initial_draft.h"
#include "train/loss.h"

namespace eyrie {
namespace {

constexpr int64_t kUsualDraftVocabulary = 32000;

[[noreturn]] void usage(const std::string& option, const std::string& message) {
  throw Error(ErrorKind::usage, option, message);
}

void check_options(const TrainOptions& options) {
  find_backend(options.attention);
  find_normalize(options.normalize);
  if (options.data.empty() == options.features.empty()) usage("data", "expected either data or features, and not both");
  if (!options.data.empty() && options.model.empty()) usage("model", "conversations need the target itself");
  if (options.model.empty() && options.target_weights.empty())
    usage("target-weights", "expected the directory of the target's weights, or model");
  if (!options.draft_config.empty() && !options.init_draft.empty())
    usage("draft-config", "a draft to begin with brings its own config");
}

void load_data(const TrainOptions& options, TrainInputs& inputs) {
  ConversationReader reader = ConversationReader::of_model(options.model, options.chat_template);
  reader.vocabulary = inputs.target->config.vocabulary;
  reader.max_tokens = options.max_tokens;
  inputs.data = read_conversations(options.data, reader);
  if (!options.held_out.empty()) inputs.held_out_data = read_conversations(options.held_out, reader);
  inputs.info = {inputs.target->fingerprint, {}, reader.tokenizer ? reader.tokenizer->hash() : ""};
}

// The tokens of captured batches as one sequence each: their counts and shares are all that is asked of them.
Conversations tokens_of(const BatchSource& source) {
  Conversations found;
  for (int64_t i = 0; i < source.batches(0); ++i) {
    PackedBatch batch = source.tokens(0, i);
    found.tokens += batch.tokens();
    found.supervised_tokens += std::count(batch.loss_mask.begin(), batch.loss_mask.end(), uint8_t{1});
    found.sequences.push_back({"", std::move(batch.input_ids), std::move(batch.loss_mask)});
  }
  return found;
}

DraftConfig new_draft_config(const TrainOptions& options, const TrainInputs& inputs) {
  const int64_t vocabulary = inputs.heads.lm_head.dim(0);
  const int64_t wanted =
      options.draft_vocabulary ? options.draft_vocabulary : std::min(vocabulary, kUsualDraftVocabulary);
  DraftConfig config;
  if (!options.draft_config.empty()) {
    config = read_draft_config(options.draft_config);
    if (options.draft_vocabulary) config.draft_vocabulary = options.draft_vocabulary;
  } else {
    config = derive_draft_config(inputs.target ? inputs.target->config : read_target_config(options.model), wanted);
  }
  if (config.vocabulary != vocabulary || config.target_hidden != inputs.heads.lm_head.dim(1))
    throw Error(ErrorKind::input, options.draft_config.empty() ? options.model : options.draft_config,
                fmt::format("expected vocabulary {} and target hidden {} as in the target, found {} and {}", vocabulary,
                            inputs.heads.lm_head.dim(1), config.vocabulary, config.target_hidden));
  return config;
}

// Flag, then what the draft says, then what the features were captured with, then the default.
void resolve_taps(const TrainOptions& options, const TrainInputs& inputs, DraftConfig& config) {
  const std::vector<int64_t>& captured = inputs.info.tap_ids;
  std::vector<int64_t>& ids = config.tap_ids;
  if (!options.tap_ids.empty()) ids = options.tap_ids;
  if (ids.empty()) ids = captured;
  if (inputs.target) resolve_tap_ids(config, inputs.target->config);
  if (!captured.empty() && ids != captured)
    throw Error(ErrorKind::input, "tap-ids",
                fmt::format("the features were captured with [{}], the draft is to read [{}]",
                            fmt::join(captured, ", "), fmt::join(ids, ", ")));
}

void begin_new_draft(const TrainOptions& options, const std::vector<int64_t>& counts, TrainInputs& inputs) {
  Draft& draft = inputs.draft;
  draft.config = new_draft_config(options, inputs);
  if (draft.config.decoder.hidden != draft.config.target_hidden)
    usage("draft-config",
          fmt::format("hidden {} beside the target's {} needs embeddings of its own: begin with a draft "
                      "that has them",
                      draft.config.decoder.hidden, draft.config.target_hidden));
  resolve_taps(options, inputs, draft.config);
  draft.vocabulary =
      make_draft_vocabulary(draft_vocabulary_ids(counts, draft.config.draft_vocabulary), draft.config.vocabulary);
  draft.rope = make_rope_table(draft.config.decoder);
  draft.embedding = inputs.heads.embedding;
  inputs.weights = initial_draft({.config = draft.config,
                                  .vocabulary = draft.vocabulary,
                                  .seed = options.seed,
                                  .head = find_initial_head(options.init),
                                  .target_lm_head = inputs.heads.lm_head,
                                  .target_norm = inputs.heads.norm});
}

void begin_with(const TrainOptions& options, TrainInputs& inputs) {
  inputs.draft = load_draft(options.init_draft, inputs.heads);
  resolve_taps(options, inputs, inputs.draft.config);
  inputs.weights = copy_parameters(inputs.draft.config, inputs.draft.tensors);
}

std::vector<int64_t> ids_of(const Draft& draft) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < draft.config.draft_vocabulary; ++i) ids.push_back(draft.vocabulary.target_id(i));
  return ids;
}

void check_taps(const BatchSource* source, const std::string& directory, const DraftConfig& config) {
  if (source && source->taps() != config.taps())
    throw Error(
        ErrorKind::file, directory,
        fmt::format("expected features with {} taps, as the draft reads, found {}", config.taps(), source->taps()));
}

void count_data(const Conversations& data, const std::vector<int64_t>& counts, TrainInputs& inputs) {
  inputs.sequences = static_cast<int64_t>(data.sequences.size());
  inputs.tokens = data.tokens, inputs.supervised_tokens = data.supervised_tokens, inputs.cut = data.cut;
  inputs.oov_share = out_of_vocabulary_share(counts, ids_of(inputs.draft));
}

}  // namespace

std::unique_ptr<TrainInputs> load_inputs(const TrainOptions& options) {
  check_options(options);
  auto inputs = std::make_unique<TrainInputs>();
  Conversations features;
  if (options.features.empty()) {
    inputs->target = load_target(options.model);
    inputs->heads = heads_of(*inputs->target);
    load_data(options, *inputs);
  } else {
    const std::string& weights = options.target_weights.empty() ? options.model : options.target_weights;
    inputs->heads = load_target_heads(weights, options.lm_head_key, options.embedding_key);
    const Shape& head = inputs->heads.lm_head.shape;
    inputs->train = feature_source(options.features, options.seed, head[0], head[1]);
    if (!options.held_out.empty()) inputs->held_out = feature_source(options.held_out, options.seed, head[0], head[1]);
    inputs->info = inputs->train->info();
    features = tokens_of(*inputs->train);
  }
  const Conversations& data = options.features.empty() ? inputs->data : features;
  const std::vector<int64_t> counts = count_supervised_tokens(data.sequences, inputs->heads.lm_head.dim(0));
  if (options.init_draft.empty())
    begin_new_draft(options, counts, *inputs);
  else
    begin_with(options, *inputs);
  inputs->draft.tensors = views(inputs->draft.config, inputs->weights);
  count_data(data, counts, *inputs);
  check_taps(inputs->train.get(), options.features, inputs->draft.config);
  check_taps(inputs->held_out.get(), options.held_out, inputs->draft.config);
  if (!inputs->target) return inputs;
  inputs->info.tap_ids = inputs->draft.config.tap_ids;
  inputs->train = conversation_source(*inputs->target, inputs->info.tap_ids, inputs->data.sequences,
                                      options.token_budget, options.seed);
  if (!options.held_out.empty())
    inputs->held_out = conversation_source(*inputs->target, inputs->info.tap_ids, inputs->held_out_data.sequences,
                                           options.token_budget, options.seed);
  return inputs;
}

}  // namespace eyrie
