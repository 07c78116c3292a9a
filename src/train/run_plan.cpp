#include "train/run_plan.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/random.h"
#include "train/loss.h"
#include "train/ttt_step.h"

namespace eyrie {
namespace {

// Of every token and mask of the first epoch's batches, in order.
std::string data_hash(const BatchSource& source) {
  uint64_t hash = 0;
  for (int64_t i = 0; i < source.batches(0); ++i) {
    const PackedBatch batch = source.tokens(0, i);
    for (size_t t = 0; t < batch.input_ids.size(); ++t)
      hash = hash * 0x100000001b3 + static_cast<uint64_t>(2 * batch.input_ids[t] + batch.loss_mask[t]);
    hash = mix_hash(hash, static_cast<uint64_t>(batch.sequences()));
  }
  return fmt::format("{:016x}", hash);
}

std::string vocabulary_hash(const DraftVocabulary& vocabulary) {
  uint64_t hash = 0;
  for (const int64_t offset : vocabulary.d2t) hash = hash * 0x100000001b3 + static_cast<uint64_t>(offset);
  return fmt::format("{:016x}", hash);
}

// The batch with the most rows decides.
MemoryPlan largest_batch(const TrainOptions& options, const TrainInputs& inputs) {
  MemoryPlan largest;
  for (int64_t i = 0; i < inputs.train->batches(0); ++i) {
    const PackedBatch batch = inputs.train->tokens(0, i);
    const Supervision supervision = supervise(batch.loss_mask, batch.cu_seqlens, options.ttt_steps);
    const MemoryPlan plan = plan_memory(inputs.draft.config, batch.tokens(), supervision);
    if (plan.total_bytes() > largest.total_bytes()) largest = plan;
  }
  return largest;
}

}  // namespace

int64_t count_steps(const TrainOptions& options, const BatchSource& source) {
  if (source.batches(0) == 0) throw Error(ErrorKind::input, "data", "expected sequences to train on, found none");
  if (options.steps > 0) return options.steps;
  return std::max<int64_t>(BatchOrder(source).micro_batches(options.epochs) / options.accumulate, 1);
}

RunSettings run_settings(const TrainOptions& options, const TrainInputs& inputs, int64_t steps) {
  const OptimizerOptions& o = options.optimizer;
  RunSettings settings = {{"target", inputs.info.target_fingerprint},
                          {"draft config", write_draft_config(inputs.draft.config, "").dump()},
                          {"draft vocabulary", vocabulary_hash(inputs.draft.vocabulary)},
                          {"data", data_hash(*inputs.train)},
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
  if (data.lines.unfit > 0) text += fmt::format(", {} lines unfit", data.lines.unfit);
  if (data.unsupervised > 0) text += fmt::format(", {} left out unsupervised", data.unsupervised);
  if (data.chat.repeated_tokens > 0) text += fmt::format(", {} tokens repeated", data.chat.repeated_tokens);
  return text;
}

std::string describe(const TrainOptions& options, const TrainInputs& inputs, const TrainPlan& plan) {
  const DraftConfig& config = inputs.draft.config;
  const DecoderConfig& layer = config.decoder;
  const auto mebibytes = [](int64_t bytes) { return static_cast<double>(bytes) / 0x1p20; };
  std::string text = fmt::format(
      "draft      {} parameters: hidden {}, {}/{} heads of {}{}, MLP {}, vocabulary {} of {}\n", plan.memory.parameters,
      layer.hidden, layer.q_heads, layer.kv_heads, layer.head_dim, layer.qk_norm ? " with norms on q, k" : "",
      layer.intermediate, config.draft_vocabulary, config.vocabulary);
  text += fmt::format("taps       leave layers {}\n", fmt::join(config.tap_ids, ", "));
  if (inputs.reader && inputs.reader->chat)
    text += fmt::format("template   {}\n", inputs.reader->chat->chat_template().source());
  text += fmt::format(
      "data       {} sequences ({} cut{}), {} tokens, {:.1f} % supervised, {:.2f} % of those out of vocabulary\n",
      inputs.sequences, inputs.cut, what_else(inputs.data), inputs.tokens, 100 * plan.supervised_share,
      100 * plan.oov_share);
  const Conversations& held_out = inputs.held_out_data;
  if (!held_out.sequences.empty())
    text += fmt::format("held out   {} sequences ({} cut{}), {} tokens\n", held_out.sequences.size(), held_out.cut,
                        what_else(held_out), held_out.tokens);
  text += fmt::format("run        {} steps of {} x {} tokens at most, {} batches an epoch, seed {}\n", plan.steps,
                      options.accumulate, options.token_budget, plan.micro_batches_per_epoch, options.seed);
  text += fmt::format("objective  {} depths, decay {}, normalised by {}; attention {}\n", options.ttt_steps,
                      options.loss_decay, options.normalize, options.attention);
  text += fmt::format("optimizer  AdamW, learning rate {}, warm-up {:.1f} % of the steps, clip {}\n",
                      options.optimizer.learning_rate, 100 * options.optimizer.warmup_share, options.optimizer.clip);
  return text + fmt::format(
                    "memory     MiB: weights and gradients {:.1f}, moments {:.1f}, target states {:.1f}, step {:.1f}\n",
                    mebibytes(plan.memory.weight_bytes), mebibytes(plan.memory.moment_bytes),
                    mebibytes(plan.memory.state_bytes), mebibytes(plan.memory.step_bytes));
}

}  // namespace

TrainPlan plan_training(const TrainOptions& options, const TrainInputs& inputs) {
  TrainPlan plan;
  plan.steps = count_steps(options, *inputs.train);
  plan.micro_batches_per_epoch = inputs.train->batches(0);
  plan.supervised_share =
      inputs.tokens ? static_cast<double>(inputs.supervised_tokens) / static_cast<double>(inputs.tokens) : 0;
  plan.oov_share = inputs.oov_share;
  plan.memory = largest_batch(options, inputs);
  plan.text = describe(options, inputs, plan);
  return plan;
}

}  // namespace eyrie
