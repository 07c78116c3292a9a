#include "train/inputs.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "data/vocabulary.h"
#include "io/atomic_dir.h"
#include "model/rope_frequencies.h"
#include "train/check_options.h"
#include "train/initial_draft.h"

namespace eyrie {
namespace {

[[noreturn]] void usage(const std::string& option, const std::string& message) {
  throw Error(ErrorKind::usage, option, message);
}

// A run that begins replaces nothing that no run wrote, and no dumps.
void expect_free(const std::string& directory) {
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    const bool foreign = name == "run.toml" && !read_file(entry.path()).starts_with(kRunFlagsHead);
    if (foreign || name.starts_with("dump-"))
      throw Error(ErrorKind::usage, directory, "holds " + name + ", which would be lost: name another output");
  }
}

void open_run(const TrainOptions& options, TrainInputs& inputs) {
  if (options.output.empty() || options.plan) return;
  inputs.lock.emplace(options.output, "training");
  recover_all(options.output);
  const bool holds_run = !list_checkpoints(options.output).empty();
  if (holds_run && !options.resume)
    throw Error(ErrorKind::usage, options.output, "holds a run already: resume it, or name another output");
  if (!holds_run && !options.resume) expect_free(options.output);
  if (!holds_run && options.resume)
    log_info(fmt::format("{} holds no checkpoint to resume from: the run starts afresh", options.output));
}

// No sequence may be longer than target and draft have positions.
int64_t most_tokens(const TrainOptions& options, const TrainInputs& inputs, bool new_draft) {
  const int64_t most = std::min(options.max_tokens, inputs.target->config.decoder.max_positions);
  if (!new_draft) return std::min(most, inputs.state.draft.config.decoder.max_positions);
  if (options.draft_config.empty()) return most;
  return std::min(most, read_draft_config(options.draft_config).decoder.max_positions);
}

void load_data(const TrainOptions& options, int64_t max_tokens, TrainInputs& inputs) {
  ConversationReader reader = ConversationReader::of_model(options.model, options.chat);
  inputs.target->config.stop_ids = reader.stop_ids;
  reader.vocabulary = inputs.target->config.vocabulary;
  reader.bad_lines = options.bad_lines;
  reader.max_tokens = max_tokens;
  inputs.data = read_conversations(options.data, reader);
  if (!options.held_out.empty()) inputs.held_out_data = read_conversations(options.held_out, reader);
  inputs.info = reader.info(inputs.target->fingerprint, {});
  inputs.reader = std::move(reader);
}

// What is evaluated on must come from the same target, the same layers.
void expect_alike(const TrainOptions& options, const FeatureInfo& train, const FeatureInfo& held_out) {
  const auto differs = [&](const char* what, const std::string& expected, const std::string& found) {
    if (expected != found)
      throw Error(ErrorKind::file, options.held_out,
                  fmt::format("{}: expected {} as in {}, found {}", what, expected, options.features, found));
  };
  differs("target fingerprint", train.target_fingerprint, held_out.target_fingerprint);
  differs("chat template", train.template_hash, held_out.template_hash);
  differs("tap ids", fmt::format("[{}]", fmt::join(train.tap_ids, ", ")),
          fmt::format("[{}]", fmt::join(held_out.tap_ids, ", ")));
}

void load_features(const TrainOptions& options, TrainInputs& inputs) {
  const std::string& weights = options.target_weights.empty() ? options.model : options.target_weights;
  inputs.heads = load_target_heads(weights, options.lm_head_key, options.embedding_key);
  const Shape& head = inputs.heads.lm_head.shape;
  inputs.train = feature_source(options.features, options.seed, head[0], head[1]);
  inputs.info = inputs.train->info();
  if (!options.held_out.empty()) {
    inputs.held_out = feature_source(options.held_out, options.seed, head[0], head[1]);
    expect_alike(options, inputs.info, inputs.held_out->info());
  }
  const std::string& captured = inputs.info.target_fingerprint;
  if (options.target_weights.empty() && !captured.empty() && captured != inputs.heads.fingerprint)
    log_warning(fmt::format("{} was captured from target {}, {} is {}", options.features, captured, options.model,
                            inputs.heads.fingerprint));
  if (options.init_draft.empty() && !options.resume && !inputs.heads.norm.defined())
    log_info(fmt::format("{}: no last norm of a known family: a new draft's begins with ones", weights));
}

// What config.json beside the target's weights says, if there is one: of any family.
Json target_json(const TrainOptions& options) {
  const std::string path = (options.model.empty() ? options.target_weights : options.model) + "/config.json";
  return std::filesystem::exists(path) ? Json::parse_file(path) : Json::object();
}

// 0: unknown.
int64_t count_target_layers(const TrainOptions& options, const TrainInputs& inputs) {
  constexpr const char* kKey = "num_hidden_layers";
  if (inputs.target) return inputs.target->config.layers;
  const Json config = target_json(options);
  const Json* text = config.find("text_config");  // of models that also see or hear
  if (config.find(kKey)) return config.integer(kKey, 1);
  return text && text->find(kKey) ? text->integer(kKey, 1) : 0;
}

TargetConfig derivable_target(const TrainOptions& options, const TrainInputs& inputs) {
  if (inputs.target) return inputs.target->config;
  if (!options.model.empty()) return read_target_config(options.model);
  const Json config = target_json(options);
  const Json* type = config.find("model_type");
  if (!type || !is_supported(type->as_text()))
    usage("draft-config", fmt::format("needed: {} has no config.json of a family that a draft can be derived from ({})",
                                      options.target_weights, supported_model_types()));
  return read_target_config(options.target_weights);
}

DraftConfig new_draft_config(const TrainOptions& options, const TrainInputs& inputs) {
  const int64_t vocabulary = inputs.heads.lm_head.dim(0);
  const int64_t most = options.draft_vocabulary ? options.draft_vocabulary : kUsualDraftVocabulary;
  const int64_t wanted = std::min(vocabulary, most);
  DraftConfig config;
  if (!options.draft_config.empty()) {
    config = read_draft_config(options.draft_config);
    if (!options.tap_ids.empty()) config.tap_ids = options.tap_ids;
    if (options.draft_vocabulary) config.draft_vocabulary = wanted;
  } else {
    config = derive_draft_config(derivable_target(options, inputs), wanted,
                                 options.tap_ids.empty() ? inputs.info.tap_ids : options.tap_ids);
  }
  if (config.vocabulary != vocabulary || config.target_hidden != inputs.heads.lm_head.dim(1))
    throw Error(ErrorKind::input, options.draft_config.empty() ? "the target's config.json" : options.draft_config,
                fmt::format("expected vocabulary {} and target hidden {} as in the target, found {} and {}", vocabulary,
                            inputs.heads.lm_head.dim(1), config.vocabulary, config.target_hidden));
  return config;
}

// What the flag or the draft says, then what the features were captured with, then the default.
void resolve_taps(const TrainOptions& options, const TrainInputs& inputs, DraftConfig& config) {
  const std::vector<int64_t>& captured = inputs.info.tap_ids;
  std::vector<int64_t>& ids = config.tap_ids;
  if (ids.empty()) ids = captured;
  TargetConfig target;
  target.layers = count_target_layers(options, inputs);
  const std::string& draft = options.init_draft.empty() ? options.draft_config : options.init_draft;
  if (target.layers > 0) at_place(draft, [&] { resolve_tap_ids(config, target); });
  if (!captured.empty() && ids != captured)
    throw Error(options.tap_ids.empty() ? ErrorKind::input : ErrorKind::usage, "tap-ids",
                fmt::format("the features were captured with [{}], the draft is to read [{}]",
                            fmt::join(captured, ", "), fmt::join(ids, ", ")));
}

void begin_new_draft(const TrainOptions& options, TrainInputs& inputs) {
  Draft draft;
  draft.config = new_draft_config(options, inputs);
  if (draft.config.decoder.hidden != draft.config.target_hidden)
    usage("draft-config",
          fmt::format("hidden {} beside the target's {} needs embeddings of its own: begin with a draft "
                      "that has them",
                      draft.config.decoder.hidden, draft.config.target_hidden));
  resolve_taps(options, inputs, draft.config);
  draft.vocabulary = make_draft_vocabulary(
      draft_vocabulary_ids(inputs.survey.supervised, draft.config.draft_vocabulary), draft.config.vocabulary);
  draft.rope = make_rope_table(draft.config.decoder);
  draft.embedding = inputs.heads.embedding;
  Parameters weights = initial_draft({.config = draft.config,
                                      .vocabulary = draft.vocabulary,
                                      .seed = options.seed,
                                      .head = find_initial_head(options.init),
                                      .target_lm_head = inputs.heads.lm_head,
                                      .target_norm = inputs.heads.norm});
  inputs.state = make_state(std::move(draft), std::move(weights));
}

// A draft that needs no data to begin with: the run's own when it is resumed, whatever it began with; or the one named.
// False: a new one is to be made.
bool load_known_draft(const TrainOptions& options, TrainInputs& inputs) {
  if (options.resume && !options.output.empty()) inputs.saved = load_newest_checkpoint(options.output, inputs.heads);
  if (inputs.saved) {
    inputs.state = std::move(inputs.saved->state);
  } else if (!options.init_draft.empty()) {
    inputs.state = copy_state(load_draft(options.init_draft, inputs.heads));
  } else {
    return false;
  }
  const int64_t vocabulary = inputs.state.draft.config.draft_vocabulary;
  const int64_t wanted = std::min(options.draft_vocabulary, inputs.state.draft.config.vocabulary);  // it is a limit
  if (options.draft_vocabulary && wanted != vocabulary)
    usage("draft-vocabulary",
          fmt::format("the draft to go on from has {}, found {}", vocabulary, options.draft_vocabulary));
  if (!options.tap_ids.empty()) override_tap_ids(inputs.state.draft.config, options.tap_ids);
  resolve_taps(options, inputs, inputs.state.draft.config);
  return true;
}

void check_taps(const BatchSource* source, const std::string& directory, const DraftConfig& config) {
  if (source && source->taps() != config.taps())
    throw Error(
        ErrorKind::file, directory,
        fmt::format("expected features with {} taps, as the draft reads, found {}", config.taps(), source->taps()));
}

// Which taps they read is known when the draft is.
void open_sources(const TrainOptions& options, TrainInputs& inputs) {
  const auto source = [&](const Conversations& data) {
    return conversation_source(*inputs.target, inputs.info.tap_ids, data.sequences, options.token_budget, options.seed);
  };
  inputs.train = source(inputs.data);
  if (!options.held_out.empty()) inputs.held_out = source(inputs.held_out_data);
}

void expect_positions(const BatchSource& source, const Survey& found, int64_t positions) {
  if (found.longest > positions)
    throw Error(ErrorKind::file, source.place(0, found.longest_batch),
                fmt::format("sequence {}: expected at most {} tokens, the draft's positions, found {}",
                            found.longest_sequence, positions, found.longest));
}

}  // namespace

std::unique_ptr<TrainInputs> load_inputs(const TrainOptions& options) {
  check_options(options);
  for (const std::string& draft : {options.init_draft, options.draft_config}) expect_no_run(draft);
  auto inputs = std::make_unique<TrainInputs>();
  open_run(options, *inputs);
  if (options.features.empty()) {
    inputs->target = load_target(options.model);
    inputs->heads = heads_of(*inputs->target);
  } else {
    load_features(options, *inputs);
  }
  if (const int64_t layers = count_target_layers(options, *inputs); layers > 0) expect_tap_ids(options.tap_ids, layers);
  const bool new_draft = !load_known_draft(options, *inputs);
  if (inputs->target) {
    load_data(options, most_tokens(options, *inputs, new_draft), *inputs);
    open_sources(options, *inputs);
  }
  const int64_t vocabulary = inputs->heads.lm_head.dim(0);
  inputs->survey = survey(*inputs->train, options.ttt_steps, vocabulary);
  if (new_draft) begin_new_draft(options, *inputs);
  const DraftConfig& config = inputs->state.draft.config;
  if (inputs->target) inputs->info.tap_ids = config.tap_ids;
  expect_positions(*inputs->train, inputs->survey, config.decoder.max_positions);
  if (inputs->held_out)
    expect_positions(*inputs->held_out, survey(*inputs->held_out, 1, vocabulary), config.decoder.max_positions);
  check_taps(inputs->train.get(), options.features, config);
  check_taps(inputs->held_out.get(), options.held_out, config);
  if (inputs->survey.rows() == 0)
    throw Error(ErrorKind::input, options.data.empty() ? options.features : options.data,
                "nothing is supervised: expected two or more tokens in a row with loss_mask = 1 behind another token");
  return inputs;
}

}  // namespace eyrie
