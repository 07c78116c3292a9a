#include "train/replay.h"

#include <fmt/core.h>

#include <cmath>
#include <filesystem>

#include "base/log.h"
#include "data/features.h"
#include "train/train_state.h"

namespace eyrie {
namespace {

constexpr int64_t kDefaultTttSteps = 7;
constexpr double kDefaultDecay = 0.8;
constexpr double kSameLoss = 1e-3;  // relative: another backend, thread count or trainer
constexpr int64_t kMostRows = int64_t{1} << 40;

// A dump in memory, ready for the step.
struct Dump {
  FeatureBatch batch;
  Buffer taps = {}, last_hidden = {};  // f32
  TargetHeads heads = {};
  TrainState state = {};                // the draft and f32 copies of its weights
  std::vector<int64_t> step_rows = {};  // n_k; empty: the batch is the whole step
};

std::vector<int64_t> read_step_rows(const SafetensorsFile& file) {
  const ConstTensor* rows = file.find("n_k");
  if (!rows) return {};
  expect_dtype(file.path() + ": n_k", *rows, {DType::i64});
  expect_shape(file.path() + ": n_k", *rows, {-1});
  std::vector<int64_t> counts(rows->as<int64_t>(), rows->as<int64_t>() + rows->dim(0));
  return counts;
}

std::string step_path(const ReplayOptions& options) { return options.directory + "/step.json"; }

double read_decay(const Json& step, const std::string& path) {
  if (!step.find("loss_decay")) return kDefaultDecay;
  const double decay = step.number("loss_decay");
  if (decay > 0 && std::isfinite(decay)) return decay;
  throw Error(ErrorKind::file, path + ": loss_decay", fmt::format("expected a finite number above 0, found {}", decay));
}

Normalize read_normalize(const Json& step, const std::string& path) {
  if (!step.find("normalize")) return Normalize::step;
  const std::string& text = step.text("normalize");
  try {
    return find_normalize(text);
  } catch (const Error& error) {
    throw Error(ErrorKind::file, path, error.what());
  }
}

TargetHeads dump_heads(const FeatureBatch& batch, const std::string& model) {
  if (!model.empty()) {
    TargetHeads heads = load_target_heads(model);
    if (!batch.info.target_fingerprint.empty() && batch.info.target_fingerprint != heads.fingerprint)
      log_warning(fmt::format("{} was made with target {}, {} is {}", batch.file.path(), batch.info.target_fingerprint,
                              model, heads.fingerprint));
    return heads;
  }
  TargetHeads heads;
  heads.lm_head = batch.file.at("target.lm_head.weight");
  expect_shape(batch.file.path() + ": target.lm_head.weight", heads.lm_head, {-1, batch.last_hidden.dim(1)});
  if (const ConstTensor* embedding = batch.file.find("target.embed_tokens.weight")) heads.embedding = *embedding;
  return heads;
}

Dump read_dump(const ReplayOptions& options) {
  const std::filesystem::path directory(options.directory);
  Dump dump{.batch = read_features(directory / "batch.safetensors")};
  dump.taps = Buffer::copy_of(dump.batch.taps, DType::f32);
  dump.last_hidden = Buffer::copy_of(dump.batch.last_hidden, DType::f32);
  dump.heads = dump_heads(dump.batch, options.model);
  dump.state = copy_state(load_draft(directory / "draft", dump.heads));
  dump.step_rows = read_step_rows(dump.batch.file);
  return dump;
}

void read_settings(const ReplayOptions& options, const Dump& dump, Replay& result) {
  const std::string path = step_path(options);
  const Json step = std::filesystem::exists(path) ? Json::parse_file(path) : Json::object();
  int64_t depths = dump.step_rows.empty() ? kDefaultTttSteps : std::ssize(dump.step_rows);
  at_place(path, [&] {
    if (step.find("ttt_steps")) depths = step.integer("ttt_steps", 1, kMaxDepths);
    if (const Json* attention = step.find("attention")) result.recorded_attention = attention->dump();
    if (step.find("loss")) result.recorded_loss = step.number("loss");
  });
  const double decay = read_decay(step, path);
  const Normalize normalize = read_normalize(step, path);
  result.ttt_steps = options.ttt_steps.value_or(depths);
  result.loss_decay = options.loss_decay.value_or(decay);
  result.normalize = options.normalize.value_or(normalize);
  if (!result.recorded_loss)
    result.why_not_compared = "the dump records none";
  else if (result.ttt_steps != depths || result.loss_decay != decay || result.normalize != normalize)
    result.why_not_compared = "it is of other settings";
}

// The step has this batch's rows at least.
void check_step_rows(const Dump& dump, const Supervision& supervision, Replay& result) {
  const size_t depths = std::min(dump.step_rows.size(), supervision.rows_at_depth.size());
  for (size_t k = 0; k < depths; ++k) {
    const int64_t found = dump.step_rows[k], least = supervision.rows_at_depth[k];
    if (found < least || found > kMostRows)
      throw Error(ErrorKind::file, fmt::format("{}: n_k[{}]", dump.batch.file.path(), k),
                  fmt::format("expected {} (the rows of this batch) to {}, found {}", least, kMostRows, found));
    if (found > least && result.why_not_compared.empty())
      result.why_not_compared = "it is of a step of several batches, of which this is one";
  }
}

// n_k for the depths asked for: a dump that counts fewer depths cannot say what the rest would have been.
std::span<const int64_t> step_rows_of(const Dump& dump, Normalize normalize, int64_t depths) {
  if (dump.step_rows.empty() || normalize == Normalize::micro_batch) return {};
  if (static_cast<int64_t>(dump.step_rows.size()) < depths)
    throw Error(ErrorKind::input, dump.batch.file.path() + ": n_k",
                fmt::format("expected at least {} entries (one per depth), found {}", depths, dump.step_rows.size()));
  return std::span(dump.step_rows).first(static_cast<size_t>(depths));
}

std::vector<TensorDifference> compare(const std::vector<NamedTensor>& found, const std::vector<NamedTensor>& first) {
  std::vector<TensorDifference> differences;
  for (size_t i = 0; i < found.size(); ++i) {
    double difference = 0, whole = 0;
    const float *a = found[i].tensor.as<float>(), *b = first[i].tensor.as<float>();
    for (int64_t j = 0; j < found[i].tensor.elements(); ++j) {
      difference += std::pow(static_cast<double>(a[j]) - b[j], 2);
      whole += static_cast<double>(b[j]) * b[j];
    }
    differences.push_back({found[i].name, difference == 0 ? 0 : std::sqrt(difference / whole)});
  }
  return differences;
}

// Backends by name, each one run on exec's device; the first run of all is the one that others are compared with.
void run(Exec& exec, std::span<const std::string> backends, Dump& dump, const TttBatch& here, const LossRule& rule,
         Replay& result) {
  DeviceCopies copies(exec);
  send_state(exec, copies, dump.state);
  const TttBatch batch{here.input_ids, copies.of(here.taps), copies.of(here.last_hidden), here.supervision};
  HostArrays arrays(exec);
  for (const std::string& backend : backends) {
    const TttModel model{dump.state.draft, copies.of(dump.heads.lm_head), find_backend(backend), true};
    const Parameters there = make_parameters(exec, result.config);
    TttOutcome outcome =
        at_place(dump.batch.file.path(), [&] { return ttt_step(exec, arrays, model, batch, rule, &there.tensors); });
    Parameters gradients = read_parameters(exec, result.config, there);
    const std::string where =
        exec.device == Device::cuda ? fmt::format(" on cuda, {}", name(exec.activations)) : std::string();
    ReplayRun one{fmt::format("{}{}", name(outcome.attention), where),
                  outcome.loss,
                  l2_norm(exec, result.config, there),
                  std::move(outcome.figures),
                  {}};
    if (result.runs.empty())
      result.gradients = std::move(gradients);
    else
      one.differences =
          compare(named_tensors(result.config, gradients), named_tensors(result.config, result.gradients));
    result.runs.push_back(std::move(one));
  }
}

}  // namespace

Replay replay(Exec& exec, const ReplayOptions& options) {
  std::optional<Exec> gpu;
  if (options.device == Device::cuda) gpu.emplace(options.device, options.dtype);
  Dump dump = read_dump(options);
  Replay result;
  result.config = dump.state.draft.config;
  read_settings(options, dump, result);
  const PackedBatch& tokens = dump.batch.tokens;
  const Supervision supervision = supervise(tokens.loss_mask, tokens.cu_seqlens, result.ttt_steps);
  check_step_rows(dump, supervision, result);
  const TttBatch batch{tokens.input_ids, dump.taps, dump.last_hidden, supervision};
  const LossRule rule{result.loss_decay, result.normalize, step_rows_of(dump, result.normalize, result.ttt_steps)};
  const std::string automatic = "auto";
  run(exec, gpu ? std::span(&automatic, 1) : std::span(options.attention), dump, batch, rule, result);
  if (gpu) run(*gpu, options.attention, dump, batch, rule, result);
  return result;
}

void expect_recorded_loss(const ReplayOptions& options, const Replay& result) {
  if (!result.why_not_compared.empty()) return;
  const double recorded = *result.recorded_loss, found = result.runs[0].loss;
  if (std::abs(found - recorded) <= kSameLoss * std::abs(recorded)) return;
  throw Error(ErrorKind::input, step_path(options) + ": loss",
              fmt::format("expected {:.6g} as recorded, found {:.6g} when computed again", recorded, found));
}

void expect_replay_result(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return;  // absent, or a stream
  try {
    const SafetensorsFile file = SafetensorsFile::open(path);
    if (file.tensors().contains("step_loss") && file.tensors().contains("grad_norm")) return;
  } catch (const Error&) {  // no safetensors at all
  }
  throw Error(ErrorKind::usage, path, "is there already, and no result of replay: name another");
}

void write_replay(const std::string& path, const Replay& result) {
  const ReplayRun& first = result.runs.front();
  const float loss = static_cast<float>(first.loss), grad_norm = static_cast<float>(first.grad_norm);
  std::vector<float> step_loss, step_accuracy;
  for (const DepthFigures& depth : first.figures.depths) {
    step_loss.push_back(static_cast<float>(depth.loss()));
    step_accuracy.push_back(static_cast<float>(depth.accuracy()));
  }
  const Shape depths = {result.ttt_steps};
  std::vector<NamedTensor> tensors = {{"loss", {&loss, DType::f32, {1}}},
                                      {"step_loss", {step_loss.data(), DType::f32, depths}},
                                      {"step_accuracy", {step_accuracy.data(), DType::f32, depths}},
                                      {"grad_norm", {&grad_norm, DType::f32, {1}}}};
  for (NamedTensor& one : named_tensors(result.config, result.gradients, "grad.")) tensors.push_back(std::move(one));
  write_safetensors(path, tensors);
}

}  // namespace eyrie
