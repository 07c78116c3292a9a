#include "train/run_plan.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/counted.h"
#include "data/vocabulary.h"
#include "train/loss.h"
#include "train/ttt_step.h"

namespace eyrie {
namespace {

std::string vocabulary_hash(const DraftVocabulary& vocabulary) {
  uint64_t hash = 0;
  for (const int64_t offset : vocabulary.d2t) hash = hash * 0x100000001b3 + static_cast<uint64_t>(offset);
  return fmt::format("{:016x}", hash);
}

// The largest step of the first epoch. A batch that is in no way larger than one already planned needs no dry run.
void plan_batches(const TrainOptions& options, const TrainInputs& inputs, TrainPlan& made) {
  // Captured batches are as they are; of conversations another epoch's may be fuller.
  made.most_tokens = inputs.target ? options.token_budget : 0;
  std::vector<BatchSize> planned;
  for (size_t i = 0; i < inputs.survey.batches.size(); ++i) {
    const BatchSize& batch = inputs.survey.batches[i];
    made.most_tokens = std::max(made.most_tokens, batch.tokens);
    const auto holds_it = [&](const BatchSize& one) {
      return batch.tokens <= one.tokens && batch.rows <= one.rows && batch.prefix_rows <= one.prefix_rows;
    };
    if (std::ranges::any_of(planned, holds_it)) continue;
    planned.push_back(batch);
    const StepPlan plan = plan_step(options, inputs, static_cast<int64_t>(i));
    if (plan.state_bytes + plan.step_bytes > made.step.state_bytes + made.step.step_bytes) made.step = plan;
  }
}

double oov_share(const TrainInputs& inputs) {
  const Draft& draft = inputs.state.draft;
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < draft.config.draft_vocabulary; ++i) ids.push_back(draft.vocabulary.target_id(i));
  return out_of_vocabulary_share(inputs.survey.supervised, ids);
}

void expect_dumped_steps(const TrainOptions& options, int64_t steps) {
  for (const int64_t step : options.dump_steps)
    if (step < 0 || step >= steps)
      throw Error(ErrorKind::usage, "dump-steps",
                  fmt::format("expected steps from 0 to {}, the last of this run, found {}", steps - 1, step));
}

}  // namespace

StepPlan plan_step(const TrainOptions& options, const TrainInputs& inputs, int64_t batch) {
  return plan_step(options, inputs, inputs.train->tokens(0, batch));
}

StepPlan plan_step(const TrainOptions& options, const TrainInputs& inputs, const PackedBatch& batch) {
  const Supervision supervision = supervise(batch.loss_mask, batch.cu_seqlens, options.ttt_steps);
  Exec exec = Exec::plan(options.device, options.activations());
  DeviceCopies frozen(exec), copies(exec);
  Scratch elsewhere(exec.device, Scratch::Memory::planned);
  const Draft draft = copies.of(inputs.state.draft);
  DraftTensors<Tensor> gradients;
  for_each_tensor(draft.config, gradients, [&](const std::string&, const Shape& shape, Tensor& tensor) {
    tensor = elsewhere.take(DType::f32, shape);
  });
  StepPlan plan;
  const TttModel model{draft, frozen.of(inputs.heads.lm_head), find_backend(options.attention)};
  frozen.of(inputs.state.draft.embedding);
  inputs.train->send(frozen);
  plan.frozen_bytes = frozen.planned_bytes() + (options.device == Device::cuda ? Matmul::kWorkspaceBytes : 0);
  const TargetStates states = take_states(exec, draft.config, batch.tokens());
  plan.state_bytes = exec.scratch.most_bytes();
  inputs.train->read_states(exec, 0, 0, batch, states.taps, states.last_hidden);
  const double target_flops = std::exchange(exec.flops, 0);
  HostArrays arrays(exec);
  plan.flops = ttt_step(exec, arrays, model, {batch.input_ids, states.taps, states.last_hidden, supervision},
                        {options.loss_decay, find_normalize(options.normalize)}, &gradients)
                   .flops;
  plan.flops[Work::target] = target_flops;
  plan.step_bytes = exec.scratch.most_bytes() - plan.state_bytes;
  return plan;
}

int64_t count_steps(const TrainOptions& options, const BatchSource& source) {
  if (source.batches(0) == 0) throw Error(ErrorKind::input, "data", "expected sequences to train on, found none");
  if (options.steps > 0) return options.steps;
  return std::max<int64_t>(BatchOrder(source).micro_batches(options.epochs) / options.accumulate, 1);
}

RunSettings run_settings(const TrainOptions& options, const TrainInputs& inputs, int64_t steps) {
  const OptimizerOptions& o = options.optimizer;
  RunSettings settings = {{"target", inputs.info.target_fingerprint},
                          {"draft config", write_draft_config(inputs.state.draft.config, "").dump()},
                          {"draft vocabulary", vocabulary_hash(inputs.state.draft.vocabulary)},
                          {"data", fmt::format("{}, {} (hash {})", counted(inputs.survey.sequences, "sequence"),
                                               counted(inputs.survey.tokens, "token"), inputs.survey.hash)},
                          {"token-budget", std::to_string(options.token_budget)},
                          {"accumulate", std::to_string(options.accumulate)},
                          {"seed", std::to_string(options.seed)},
                          {"steps", std::to_string(steps)},
                          {"ttt-steps", std::to_string(options.ttt_steps)},
                          {"loss-decay", fmt::format("{}", options.loss_decay)},
                          {"normalize", options.normalize},
                          {"attention", options.attention},
                          {"chain", std::to_string(options.chain)},
                          {"learning-rate", fmt::format("{}", o.learning_rate)},
                          {"warmup-share", fmt::format("{}", o.warmup_share)},
                          {"adam", fmt::format("{} {} {} {}", o.beta1, o.beta2, o.epsilon, o.weight_decay)},
                          {"clip", fmt::format("{}", o.clip)}};
  // In front: another date makes other data, whose hash would name no cause.
  if (const std::string& date = inputs.info.template_date; !date.empty())
    settings.emplace(settings.begin(), "template-date", date);
  return settings;
}

namespace {

// ", 3 left out unsupervised, +4.0 % tokens repeated": what became of the conversations, where anything did.
std::string what_else(const Conversations& data) {
  std::string text;
  if (data.lines.unfit > 0) text += fmt::format(", {} unfit", counted(data.lines.unfit, "line"));
  if (data.unsupervised > 0) text += fmt::format(", {} left out unsupervised", data.unsupervised);
  if (data.chat.repeated_tokens > 0) text += fmt::format(", {} repeated", counted(data.chat.repeated_tokens, "token"));
  return text;
}

// The tokens of the longest step that takes no more than `bytes` with the whole run beside it: sequences as long as the
// draft's positions, whose last tokens are supervised, as many as in the data.
int64_t longest_step(const TrainOptions& options, const TrainInputs& inputs, const TrainPlan& run, int64_t bytes) {
  constexpr int64_t kUnit = 256, kMost = int64_t{1} << 14;  // units
  const int64_t positions = inputs.state.draft.config.decoder.max_positions;
  const auto fits = [&](int64_t units) {
    PackedBatch batch;
    batch.cu_seqlens = {0};
    for (int64_t left = units * kUnit; left > 0; left -= std::min(left, positions)) {
      const int64_t tokens = std::min(left, positions);
      const auto plain = static_cast<int64_t>(static_cast<double>(tokens) * (1 - run.supervised_share));
      batch.loss_mask.insert(batch.loss_mask.end(), static_cast<size_t>(plain), 0);
      batch.loss_mask.insert(batch.loss_mask.end(), static_cast<size_t>(tokens - plain), 1);
      batch.cu_seqlens.push_back(static_cast<int32_t>(batch.loss_mask.size()));
    }
    batch.input_ids.resize(batch.loss_mask.size());
    TrainPlan plan = run;
    plan.step = plan_step(options, inputs, batch);
    return plan.bytes() <= bytes;
  };
  int64_t fitting = 0, too_long = kMost;
  while (too_long - fitting > std::max<int64_t>(1, fitting / 64)) {
    const int64_t middle = fitting == 0 ? std::max<int64_t>(1, too_long / 8) : (fitting + too_long) / 2;
    (fits(middle) ? fitting : too_long) = middle;
  }
  return fitting * kUnit;
}

std::string describe(const TrainOptions& options, const TrainInputs& inputs, const TrainPlan& plan) {
  const DraftConfig& config = inputs.state.draft.config;
  const DecoderConfig& layer = config.decoder;
  std::string text = fmt::format("draft      {} parameters: hidden {}, {}/{} heads of {}{}, MLP {}\n", plan.parameters,
                                 layer.hidden, layer.q_heads, layer.kv_heads, layer.head_dim,
                                 layer.qk_norm ? " with norms on q, k" : "", layer.intermediate);
  text += fmt::format("vocabulary {} of {} tokens, which cover {:.2f} % of the supervised\n", config.draft_vocabulary,
                      config.vocabulary, 100 * (1 - plan.oov_share));
  text += fmt::format("taps       leave layers {}\n", fmt::join(config.tap_ids, ", "));
  if (inputs.reader && inputs.reader->chat)
    text += fmt::format("template   {}\n", inputs.reader->chat->chat_template().source());
  text += fmt::format("data       {} ({} cut{}), {}, {:.1f} % supervised\n",
                      counted(inputs.survey.sequences, "sequence"), inputs.data.cut, what_else(inputs.data),
                      counted(inputs.survey.tokens, "token"), 100 * plan.supervised_share);
  const Conversations& held_out = inputs.held_out_data;
  if (!held_out.sequences.empty())
    text += fmt::format("held out   {} ({} cut{}), {}\n", counted(std::ssize(held_out.sequences), "sequence"),
                        held_out.cut, what_else(held_out), counted(held_out.tokens, "token"));
  text += fmt::format("run        {} of {} x {} at most, {} an epoch, seed {}\n", counted(plan.steps, "step"),
                      options.accumulate, counted(plan.most_tokens, "token"),
                      counted(plan.micro_batches_per_epoch, "batch", "batches"), options.seed);
  text += fmt::format("objective  {}, decay {}, normalised by {}; attention {}\n", counted(options.ttt_steps, "depth"),
                      options.loss_decay, options.normalize, options.attention);
  text += fmt::format("optimizer  AdamW, learning rate {}, warm-up {:.1f} % of the steps, clip {}\n",
                      options.optimizer.learning_rate, 100 * options.optimizer.warmup_share, options.optimizer.clip);
  const auto mebibytes = [](int64_t bytes) { return static_cast<double>(bytes) / 0x1p20; };
  text +=
      fmt::format("memory     MiB: weights and gradients {:.1f}, moments {:.1f}, target states {:.1f}, step {:.1f}\n",
                  mebibytes(2 * plan.parameter_bytes + plan.working_bytes), mebibytes(2 * plan.parameter_bytes),
                  mebibytes(plan.step.state_bytes), mebibytes(plan.step.step_bytes));
  if (options.device == Device::cpu) return text;
  text += fmt::format("cuda       MiB: target and embedding {:.1f}; {:.1f} in all\n", mebibytes(plan.step.frozen_bytes),
                      mebibytes(plan.bytes()));
  if constexpr (kHasCuda) {
    // The search takes seconds: a run that starts has no use for it.
    if (!options.plan || !cuda::find_no_device().empty()) return text;
    const int64_t free = cuda::free_memory_bytes();
    text += fmt::format("           {:.1f} free: a step of up to {} fits\n", mebibytes(free),
                        counted(longest_step(options, inputs, plan, free), "token"));
  }
  return text;
}

}  // namespace

TrainPlan plan_training(const TrainOptions& options, const TrainInputs& inputs) {
  TrainPlan plan;
  plan.steps = count_steps(options, *inputs.train);
  plan.micro_batches_per_epoch = inputs.train->batches(0);
  const Survey& data = inputs.survey;
  plan.supervised_share =
      data.tokens ? static_cast<double>(data.supervised_tokens) / static_cast<double>(data.tokens) : 0;
  plan.oov_share = oov_share(inputs);
  expect_dumped_steps(options, plan.steps);
  for (const NamedTensor& one : named_tensors(inputs.state.draft.config, inputs.state.weights))
    plan.parameters += one.tensor.elements();
  plan.parameter_bytes = inputs.state.weights.memory.tensor().bytes();
  if (options.activations() != DType::f32)
    plan.working_bytes = inputs.state.weights.memory.tensor().elements() * size_bytes(options.activations());
  plan_batches(options, inputs, plan);
  plan.text = describe(options, inputs, plan);
  return plan;
}

void expect_to_fit(const TrainOptions& options, const TrainInputs& inputs, const TrainPlan& plan) {
  if (options.device == Device::cpu) return;
  if constexpr (kHasCuda) {
    const int64_t free = cuda::free_memory_bytes();
    if (plan.bytes() <= free) return;
    const auto gibibytes = [](int64_t bytes) { return static_cast<double>(bytes) / 0x1p30; };
    throw Error(ErrorKind::device, options.data.empty() ? "features" : "token-budget",
                fmt::format("the largest step, of {}, takes {:.1f} GiB of the GPU beside {:.1f} for weights and "
                            "optimizer, and {:.1f} are free: {} would fit",
                            counted(plan.most_tokens, "token"), gibibytes(plan.step.state_bytes + plan.step.step_bytes),
                            gibibytes(plan.bytes() - plan.step.state_bytes - plan.step.step_bytes), gibibytes(free),
                            counted(longest_step(options, inputs, plan, free), "token")));
  }
}

}  // namespace eyrie
