#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "app/commands.h"
#include "app/interrupt.h"
#include "app/progress.h"
#include "app/serving.h"
#include "app/training.h"
#include "base/error.h"
#include "base/log.h"
#include "train/run_plan.h"
#include "train/trainer.h"

namespace eyrie {
namespace {

constexpr int64_t kGeneratedTokens = 128;  // per prompt of the generated accept length

using Prompts = std::vector<std::vector<int32_t>>;

int64_t positions_of(const Target& target, const Draft& draft) {
  return std::min(target.config.decoder.max_positions, draft.config.decoder.max_positions);
}

void say_left_out(const std::string& path, int64_t left_out, size_t of, const std::string& first) {
  if (left_out == 0) return;
  log_info(fmt::format("{}: {} of {} are left out of the generated accept length; the first: {}", path, left_out, of,
                       first));
}

// What stands before the last answer of each held-out sequence; these were cut at the positions when they were read.
Prompts held_out_prompts(const std::string& path, const std::vector<TokenSequence>& sequences) {
  Prompts prompts;
  int64_t left_out = 0;
  std::string first;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto& [id, ids, mask] = sequences[i];
    const auto end = std::find(mask.rbegin(), mask.rend(), 1), begin = std::find(end, mask.rend(), 0);
    if (begin != mask.rend())
      prompts.emplace_back(ids.begin(), ids.begin() + (mask.rend() - begin));
    else if (left_out++ == 0)
      first = fmt::format("sequence {}{} has no supervised answer behind a context", i + 1,
                          id.empty() ? "" : ", " + id + ",");
  }
  say_left_out(path, left_out, sequences.size(), first);
  return prompts;
}

// Of a file of prompts, those that leave room for an answer.
Prompts prompts_of_file(const std::string& path, const ConversationReader& reader, int64_t positions) {
  Prompts prompts;
  int64_t left_out = 0;
  std::string first;
  std::vector<Prompt> read = read_prompts(path, reader);
  for (size_t i = 0; i < read.size(); ++i) {
    const auto tokens = static_cast<int64_t>(read[i].ids.size());
    if (tokens < positions)
      prompts.push_back(std::move(read[i].ids));
    else if (left_out++ == 0)
      first = fmt::format("prompt {}: expected fewer tokens than the {} positions of target and draft, found {}", i + 1,
                          positions, tokens);
  }
  if (prompts.empty()) throw Error(ErrorKind::input, path, first);
  say_left_out(path, left_out, read.size(), first);
  return prompts;
}

Prompts generation_prompts(const TrainCommand& command, const TrainInputs& inputs) {
  if (!inputs.target) return {};
  Prompts prompts;
  if (command.prompts.empty()) {
    prompts = held_out_prompts(command.train.held_out, inputs.held_out_data.sequences);
  } else {
    ConversationReader reader = ConversationReader::of_model(command.train.model, command.train.chat_template);
    reader.vocabulary = inputs.target->config.vocabulary;
    prompts = prompts_of_file(command.prompts, reader, positions_of(*inputs.target, inputs.draft));
  }
  prompts.resize(std::min(prompts.size(), static_cast<size_t>(std::max<int64_t>(command.prompt_count, 0))));
  return prompts;
}

}  // namespace

double generated_accept_length(Exec& exec, const Target& target, const Draft& draft, const Prompts& prompts,
                               int64_t chain) {
  Generator generator(exec, target, &draft);
  GenerateOptions options;
  options.chain = chain;
  options.stop_ids = target.config.stop_ids;
  AcceptStatistics accepted;
  for (const auto& prompt : prompts) {
    const int64_t room = positions_of(target, draft) - static_cast<int64_t>(prompt.size());
    options.max_new_tokens = std::min(kGeneratedTokens, room);
    accepted.add(generator.generate(prompt, options).accepted);
  }
  return accepted.accept_length();
}

std::string describe(const TrainProgress& now) {
  if (!std::isfinite(now.loss)) return fmt::format("step {}/{}  loss not finite, skipped", now.step, now.steps);
  return fmt::format("step {}/{}  loss {:.3f}  acc {:.3f}  {:.0f} tok/s  {} left", now.step, now.steps, now.loss,
                     now.accuracy, now.tokens_per_second, format_duration(now.seconds_left));
}

void run_train(const TrainCommand& command) {
  if (command.train.output.empty() && !command.train.plan)
    throw Error(ErrorKind::usage, "train", "--output is required");
  const auto inputs = load_inputs(command.train);
  const Prompts prompts = generation_prompts(command, *inputs);
  const TrainPlan plan = plan_training(command.train, *inputs);
  if (command.train.plan) return fmt::print("{}", plan.text);
  log_info(plan.text);

  Exec exec;
  TrainHooks hooks;
  ProgressBar bar("train");
  hooks.progress = [&](const TrainProgress& now) { bar.update(now.step, now.steps, describe(now)); };
  hooks.stop = &stop_requested();
  if (!prompts.empty())
    hooks.generate = [&](const Draft& draft) {
      return generated_accept_length(exec, *inputs->target, draft, prompts, command.train.chain);
    };
  const TrainResult result = train(exec, command.train, *inputs, hooks);
  bar.end();
  log_info(fmt::format("{} steps ({} skipped), {} tokens in {}; last checkpoint {}", result.steps, result.skipped,
                       result.tokens, format_duration(result.seconds), result.checkpoint));
  if (result.best_step > 0)
    log_info(fmt::format("walked accept length {:.3f} (chain {}), best at step {}", result.best_accept_length,
                         std::min(command.train.chain, command.train.ttt_steps), result.best_step));
  if (result.generated_accept_length)
    log_info(
        fmt::format("generated accept length {:.3f} over {} prompts", *result.generated_accept_length, prompts.size()));
}

}  // namespace eyrie
