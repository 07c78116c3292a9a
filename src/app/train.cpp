#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "app/commands.h"
#include "app/interrupt.h"
#include "app/output.h"
#include "app/progress.h"
#include "app/report/generated.h"
#include "app/report/report.h"
#include "app/serving.h"
#include "app/training.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/log.h"
#include "base/threads.h"

namespace eyrie {
namespace {

constexpr int64_t kGeneratedTokens = 128;  // per prompt of the generated accept length

int64_t positions_of(const Target& target, const Draft& draft) {
  return std::min(target.config.decoder.max_positions, draft.config.decoder.max_positions);
}

// The first prompts of a file that leave room for an answer; the others are counted, the first of them named. A
// held-out line that is none is no error: the loss is measured on it.
std::vector<Prompt> generation_prompts(const TrainCommand& command, const TrainInputs& inputs) {
  const bool named = !command.prompts.empty();
  const std::string& path = named ? command.prompts : command.train.held_out;
  if (path.empty() || !inputs.target) return {};
  const int64_t positions = positions_of(*inputs.target, inputs.state.draft);
  std::vector<Prompt> read = named ? read_prompts(path, *inputs.reader) : read_all_prompts(path, *inputs.reader);
  std::vector<Prompt> prompts;
  std::string first;
  for (Prompt& prompt : read) {
    const auto tokens = static_cast<int64_t>(prompt.ids.size());
    if (prompt.error.empty() && tokens >= positions)
      prompt.error = fmt::format("{}: expected fewer tokens than the {} positions of target and draft, found {}",
                                 prompt.place, positions, tokens);
    if (first.empty()) first = prompt.error;
    if (prompt.error.empty()) prompts.push_back(std::move(prompt));
  }
  if (named && prompts.empty()) throw Error(ErrorKind::input, "", first);
  if (prompts.size() < read.size())
    log_info(fmt::format("{}: {} of {} prompts are left out of the generated accept length; the first: {}", path,
                         read.size() - prompts.size(), read.size(), first));
  prompts.resize(std::min(prompts.size(), static_cast<size_t>(command.prompt_count)));
  return prompts;
}

// Greedy, with the served drafts of `chain` per verify.
Generated generate_answers(Exec& exec, const TrainInputs& inputs, const Draft& draft,
                           const std::vector<Prompt>& prompts, int64_t chain) {
  Generator generator(exec, *inputs.target, &draft);
  GenerateOptions options;
  options.chain = chain;
  options.stop_ids = inputs.target->config.stop_ids;
  const std::optional<Tokenizer>& tokenizer = inputs.reader->tokenizer;
  Generated generated{.chain = chain};
  for (const Prompt& prompt : prompts) {
    const int64_t room = positions_of(*inputs.target, draft) - static_cast<int64_t>(prompt.ids.size());
    options.max_new_tokens = std::min(kGeneratedTokens, room);
    generated.add(prompt, generator.generate(prompt.ids, options), tokenizer ? &*tokenizer : nullptr);
  }
  return generated;
}

// The details of the progress bar.
std::vector<std::string> describe(const TrainProgress& now) {
  std::vector<std::string> details = {format_duration(now.seconds_left) + " left",
                                      fmt::format("step {}/{}", now.step, now.steps)};
  if (!std::isfinite(now.loss)) return details.emplace_back("loss not finite, skipped"), details;
  details.push_back(fmt::format("loss {:.3f}", now.loss));
  details.push_back(fmt::format("acc {:.3f}", now.accuracy));
  details.push_back(fmt::format("{:.0f} tok/s", now.tokens_per_second));
  return details;
}

}  // namespace

TrainResult train_at_terminal(Exec& exec, const TrainOptions& options, TrainInputs& inputs, const TrainPlan& plan,
                              std::function<double(const Draft&)> generate) {
  ProgressBar bar("train");
  TrainHooks hooks{.progress = [&](const TrainProgress& now) { bar.update(now.step, now.steps, describe(now)); },
                   .generate = std::move(generate),
                   .stop = &stop_requested(),
                   .about = {{"version", EYRIE_VERSION},
                             {"machine", machine_name()},
                             {"target", options.model.empty() ? options.target_weights : options.model},
                             {"seed", std::to_string(options.seed)},
                             {"plan", plan.text}}};
  if (exec.device == Device::cuda) {
    exec.matmul();  // whose library may be missing: said before the run writes
    exec.scratch.reserve(plan.step.state_bytes + plan.step.step_bytes);
  }
  return train(exec, options, inputs, hooks);
}

void run_train(const TrainCommand& command) {
  const TrainOptions& options = command.train;
  if (options.output.empty() && !options.plan) throw Error(ErrorKind::usage, "train", "--output is required");
  expect_not_an_input(options.output, {options.model, options.target_weights, options.data, options.held_out,
                                       options.features, options.draft_config, options.init_draft, command.prompts});
  const std::string page = options.output + "/report.html";
  if (!options.plan) expect_report(page);
  if (options.device == Device::cuda && !(kHasCuda && options.plan)) expect_cuda();
  const auto inputs = load_inputs(options);
  const std::vector<Prompt> prompts = generation_prompts(command, *inputs);
  const TrainPlan plan = plan_training(options, *inputs);
  if (options.plan) return fmt::print("{}", plan.text);
  log_info(plan.text);
  expect_to_fit(options, *inputs, plan);

  Exec exec(options.device, options.activations()), serving;
  std::function<double(const Draft&)> generate;
  if (!prompts.empty())
    generate = [&](const Draft& draft) {
      const Generated generated = generate_answers(serving, *inputs, draft, prompts, options.chain);
      write_generated(options.output, generated);
      return generated.accepted.accept_length();
    };
  const TrainResult result = train_at_terminal(exec, options, *inputs, plan, std::move(generate));
  log_info(fmt::format("{} ({} skipped), {} in {}; last checkpoint {}", counted(result.steps, "step"), result.skipped,
                       counted(result.tokens, "token"), format_duration(result.seconds), result.checkpoint));
  if (result.best_step > 0)
    log_info(fmt::format("walked accept length {:.3f} (chain {}), best at step {}", result.best_accept_length,
                         std::min(options.chain, options.ttt_steps), result.best_step));
  if (result.generated_accept_length)
    log_info(fmt::format("generated accept length {:.3f} over {}", *result.generated_accept_length,
                         counted(std::ssize(prompts), "prompt")));
  write_report(options.output, page);
}

}  // namespace eyrie
