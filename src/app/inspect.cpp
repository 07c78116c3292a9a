#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/commands.h"
#include "app/serving.h"
#include "base/error.h"
#include "eval/probe.h"
#include "model/describe.h"
#include "model/fit.h"
#include "train/checkpoint.h"

namespace eyrie {
namespace {

void print(const Description& description) {
  for (const auto& [label, value] : description) fmt::print("{:<20} {}\n", label, value);
}

void print_fit(const Fit& found) {
  fmt::print("\n{}\n", found.mismatches.empty() ? "The draft fits the target." : "The draft does not fit the target:");
  for (const std::string& sentence : found.mismatches) fmt::print("- {}\n", sentence);
  for (const std::string& sentence : found.notes) fmt::print("note: {}\n", sentence);
}

void print_probe(const ProbeReport& report) {
  fmt::print("\n{:<20} {:<12} {:>12} {:>14}\n", "taps leave layers", "norm_output", "first right", "accept length");
  for (const ProbeReading& reading : report.readings)
    fmt::print("{:<20} {:<12} {:>11.1f}% {:>14.2f}\n", fmt::format("{}", fmt::join(reading.tap_ids, ", ")),
               reading.norm_output ? "on" : "off", 100 * reading.first_right, reading.accept_length);
  fmt::print("{}\n", report.verdict);
}

void inspect_against(const InspectCommand& command, Draft draft) {
  ServedModels models = load_served_models(command.against, "", command.chat);
  const Fit found = fit(draft.config, models.target.config);
  print_fit(found);
  if (!found.mismatches.empty()) throw Error(ErrorKind::input, command.directory, "does not fit the target");
  if (command.prompts.empty()) return;
  log_template(models.reader);
  draft = load_draft(command.directory, heads_of(models.target));
  resolve_tap_ids(draft.config, models.target.config);
  std::vector<std::vector<int32_t>> prompts;
  for (Prompt& prompt : read_prompts(command.prompts, models.reader)) prompts.push_back(std::move(prompt.ids));
  Exec exec;
  print_probe(probe_draft(exec, models.target, draft, prompts, {.max_new_tokens = command.max_new_tokens}));
}

}  // namespace

void run_inspect(const InspectCommand& command) {
  expect_no_run(command.directory);
  if (!is_draft(command.directory)) {
    if (!command.against.empty())
      throw Error(ErrorKind::usage, command.directory, "expected a draft (its weights have fc.weight) with --against");
    return print(describe(load_target(command.directory)));
  }
  Draft draft = load_draft_alone(command.directory);
  print(describe(draft));
  if (!command.against.empty())
    inspect_against(command, std::move(draft));
  else if (!command.prompts.empty())
    throw Error(ErrorKind::usage, "eyrie inspect", "--prompts needs --against");
}

}  // namespace eyrie
