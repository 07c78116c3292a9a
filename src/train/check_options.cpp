#include "train/check_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "attention/suffix_attention.h"
#include "speculative/chain.h"
#include "train/loss.h"
#include "train/ttt_step.h"

namespace eyrie {
namespace {

[[noreturn]] void usage(const std::string& option, const std::string& message) {
  throw Error(ErrorKind::usage, option, message);
}

void check_counts(const TrainOptions& o) {
  constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
  const struct {
    const char* option;
    int64_t value, least, most;
  } table[] = {
      {"max-tokens", o.max_tokens, 1, kAny},
      {"draft-vocabulary", o.draft_vocabulary, 0, kAny},
      {"ttt-steps", o.ttt_steps, 1, kMaxDepths},
      {"epochs", o.epochs, 1, 10'000},  // each is planned before the run; --steps may be any number
      {"steps", o.steps, 0, kAny},
      {"token-budget", o.token_budget, 1, kAny},
      {"accumulate", o.accumulate, 1, INT32_MAX},
      {"evaluate-every", o.evaluate_every, 0, INT32_MAX},
      {"generate-every", o.generate_every, 0, INT32_MAX},
      {"checkpoint-every", o.checkpoint_every, 0, INT32_MAX},
      {"keep", o.keep, 1, INT32_MAX},
      {"chain", o.chain, 1, kMostDrafts},
  };
  for (const auto& [option, value, least, most] : table)
    if (value < least || value > most)
      usage(option, most == kAny ? fmt::format("expected {} or more, found {}", least, value)
                                 : fmt::format("expected {} to {}, found {}", least, most, value));
}

void check_numbers(const TrainOptions& o) {
  constexpr double kSmallest = std::numeric_limits<double>::denorm_min(), kLargest = std::numeric_limits<double>::max();
  const double below_one = std::nextafter(1.0, 0.0);
  const struct {
    const char* option;
    double value, least, most;
    const char* range;
  } table[] = {
      {"loss-decay", o.loss_decay, kSmallest, kLargest, "a finite number above 0"},
      {"learning-rate", o.optimizer.learning_rate, kSmallest, kLargest, "a finite number above 0"},
      {"warmup-share", o.optimizer.warmup_share, 0, 1, "0 to 1"},
      {"beta1", o.optimizer.beta1, 0, below_one, "0 or more, below 1"},
      {"beta2", o.optimizer.beta2, 0, below_one, "0 or more, below 1"},
      {"epsilon", o.optimizer.epsilon, 1e-37, kLargest, "1e-37 or more, as f32 holds no less"},
      {"weight-decay", o.optimizer.weight_decay, 0, kLargest, "a finite number, 0 or more"},
      {"clip", o.optimizer.clip, 0, kLargestNorm, "0 to 1e15"},
      {"spike-factor", o.optimizer.spike_factor, 0, kLargest, "a finite number, 0 or more"},
  };
  for (const auto& [option, value, least, most, range] : table)
    if (!(value >= least && value <= most)) usage(option, fmt::format("expected {}, found {}", range, value));
}

// The moments are within the clip, so a weight moves by the rate times clip / epsilon and its own decay at most.
void check_reach(const OptimizerOptions& o) {
  constexpr double kReach = 1e30;
  const double reach = o.learning_rate * std::max((o.clip > 0 ? o.clip : kLargestNorm) / o.epsilon, 1.0);
  if (reach > kReach)
    usage("learning-rate", fmt::format("expected steps that leave finite weights (learning rate x clip / epsilon of "
                                       "1e30 at most), found {:.3g}",
                                       reach));
  if (o.learning_rate * o.weight_decay > 1)
    usage("weight-decay",
          fmt::format("expected at most 1 / learning rate = {:.3g}, found {}", 1 / o.learning_rate, o.weight_decay));
}

}  // namespace

void check_options(const TrainOptions& options) {
  find_backend(options.attention);
  find_normalize(options.normalize);
  if (options.resume && options.data.empty() && options.features.empty())
    usage("output",
          fmt::format("{} holds no run that says what it was begun with: expected its flags", options.output));
  if (options.data.empty() == options.features.empty())
    usage("data", fmt::format("expected either data or features, found {}", options.data.empty() ? "neither" : "both"));
  if (!options.data.empty() && options.model.empty()) usage("model", "conversations need the target itself");
  if (options.model.empty() && options.target_weights.empty())
    usage("target-weights", "expected the directory of the target's weights, or model");
  if (!options.draft_config.empty() && !options.init_draft.empty())
    usage("draft-config", "a draft to begin with brings its own config");
  if (options.draft_vocabulary && !options.init_draft.empty())
    usage("draft-vocabulary", "a draft to begin with brings its own vocabulary");
  std::error_code absent;
  for (const std::string& data : {options.data, options.features})
    if (std::filesystem::equivalent(options.held_out, data, absent))
      usage("held-out", "is what the draft is trained on: expected other data, found " + options.held_out);
  check_counts(options);
  check_numbers(options);
  check_reach(options.optimizer);
}

}  // namespace eyrie
