#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/interrupt.h"
#include "app/output.h"
#include "app/progress.h"
#include "app/report/generated.h"
#include "app/report/report.h"
#include "app/serving.h"
#include "app/training.h"
#include "base/error.h"
#include "eval/accept_length.h"
#include "eval/tasks.h"
#include "io/atomic_dir.h"
#include "io/directory_lock.h"

namespace eyrie {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kDraftVocabulary = 1024, kChain = 4, kMaxNewTokens = 160;
constexpr int kHeldOutInTraining = 64;  // problems that its curve is measured on

struct Demo {
  const DemoCommand& command;
  Exec exec = {};
  Generated generated = {.chain = kChain};
  std::vector<std::pair<std::string, double>> seconds = {};  // by phase

  std::string path(const char* name) const { return command.output + "/" + name; }
};

// The names in a run directory (train/trainer.h), and the mark.
bool written_by_run(const std::string& name) {
  for (const std::string_view numbered : {"checkpoint-", "dump-"})
    if (name.starts_with(numbered)) return name.find_first_not_of("0123456789.", numbered.size()) == name.npos;
  for (const char* own : {".eyrie-demo", ".eyrie-lock", "metrics.jsonl", "best.json", "run.toml", "held_out.jsonl",
                          "generated.json", "report.html"})
    if (name == own) return true;
  return false;
}

// What stands under the names that a demo writes goes only when a demo made it: the run of each is marked.
void clear_last_demo(const Demo& demo) {
  const fs::path run = demo.path("run"), mark = run / ".eyrie-demo";
  if (!fs::exists(mark))
    for (const char* name : {"run", "draft", "draft-config", "report.html"})
      if (fs::exists(demo.path(name)) && !fs::is_empty(demo.path(name)))
        throw Error(ErrorKind::usage, demo.path(name), "is there already, and no demo made it: name another --output");
  fs::create_directories(run);
  if (!fs::exists(mark)) write_file_atomically(mark, "");
  recover_all(run);  // what a demo left that was killed
  for (const fs::directory_entry& entry : fs::directory_iterator(run))
    if (const std::string name = entry.path().filename(); !written_by_run(name))
      throw Error(ErrorKind::usage, run, "holds " + name + ", which no demo wrote: name another --output");
  for (const fs::directory_entry& entry : fs::directory_iterator(run))
    if (entry.path() != mark) fs::remove_all(entry.path());
}

// The draft's config: derived from the target, with one norm before fc, which trains faster on so little data.
void write_demo_config(const Demo& demo, const Target& target) {
  DraftConfig config = derive_draft_config(target.config, kDraftVocabulary);
  config.norm_before_fc = true;
  fs::create_directories(demo.path("draft-config"));
  write_file_atomically(demo.path("draft-config/config.json"), write_draft_config(config, "").dump(2) + "\n");
}

// Some of the held-out problems as conversations.
void write_held_out(const Demo& demo, const std::string& path) {
  std::string lines;
  int written = 0;
  for_each_json_line(demo.command.target + "/held_out.jsonl", [&](const Json& line) {
    if (written++ >= kHeldOutInTraining) return;
    const Json question = Json::object({{"role", "user"}, {"content", line.text("question")}});
    const Json answer = Json::object({{"role", "assistant"}, {"content", line.text("answer")}});
    lines += Json::object({{"messages", Json::Array{question, answer}}}).dump() + "\n";
  });
  write_file_atomically(path, lines);
}

TrainOptions training_options(const Demo& demo) {
  TrainOptions options;
  options.model = demo.command.target;
  options.data = demo.command.target + "/conversations.jsonl";
  options.held_out = demo.path("run/held_out.jsonl");
  options.draft_config = demo.path("draft-config");
  options.output = demo.path("run");
  options.ttt_steps = 4;
  options.optimizer.learning_rate = 1.4e-3;
  options.optimizer.clip = 0.2;
  options.token_budget = 256;
  options.steps = 1400;
  options.evaluate_every = 140;
  options.device = demo.command.device;
  return options;
}

void train_draft(Demo& demo) {
  Stopwatch watch;
  const TrainOptions options = training_options(demo);
  write_held_out(demo, options.held_out);
  const auto inputs = load_inputs(options);
  Exec exec(options.device, options.activations());
  const TrainResult result = train_at_terminal(exec, options, *inputs, plan_training(options, *inputs));
  run_export({.checkpoint = result.checkpoint, .output = demo.path("draft"), .reader = ""});
  demo.seconds.emplace_back("training", watch.seconds());
}

SpeculationReport compare(Demo& demo, const ServedModels& models, const std::vector<Prompt>& prompts) {
  Stopwatch watch;
  std::vector<std::vector<int32_t>> ids;
  for (const Prompt& prompt : prompts) ids.push_back(prompt.ids);
  ProgressBar bar("generate");
  SpeculationComparison comparison;
  comparison.options.chain = kChain;
  comparison.options.max_new_tokens = kMaxNewTokens;
  comparison.options.stop_ids = models.target.config.stop_ids;
  comparison.text = [&] { return text_stream(*models.reader.tokenizer); };
  comparison.progress = [&](int64_t done) {
    bar.update(done, static_cast<int64_t>(prompts.size()), {fmt::format("{}/{} problems", done, prompts.size())});
    if (stop_requested()) throw Error(ErrorKind::interrupted, "demo", "interrupted");
  };
  SpeculationReport result = compare_speculation(demo.exec, models.target, *models.draft, ids, comparison);
  demo.seconds.emplace_back("generation, both ways", watch.seconds());
  return result;
}

void fill_generated(Demo& demo, const SpeculationReport& result, const std::vector<Prompt>& prompts,
                    const Tokenizer& tokenizer) {
  int64_t right = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    demo.generated.add(prompts[i], result.results[i], &tokenizer);
    right += exact_match(result.results[i].text, prompts[i].answer);
  }
  demo.generated.verdict = verdict(result, kChain);
  auto& figures = demo.generated.figures;
  figures = {{"tokens/s without a draft", fmt::format("{:.0f}", result.plain.tokens_per_second())},
             {fmt::format("tokens/s with the draft, chain {}", kChain),
              fmt::format("{:.0f}", result.speculative.tokens_per_second())},
             {"speed-up", fmt::format("{:.2f}", result.speed_up())},
             {fmt::format("accept length for chains 1..{}", kChain),
              fmt::format("{:.2f}", fmt::join(result.accept_length_by_chain, "  "))},
             {"break-even accept length", fmt::format("{:.2f}", result.break_even())},
             {"identical outputs", fmt::format("{} of {}", result.identical, result.prompts)},
             {"right answers", fmt::format("{} of {}", right, prompts.size())}};
  for (const auto& [phase, seconds] : demo.seconds) figures.emplace_back(phase, fmt::format("{:.1f} s", seconds));
}

void write_results(const Demo& demo) {
  write_generated(demo.path("run"), demo.generated);
  fmt::print("\n");
  for (const auto& [label, value] : demo.generated.figures) fmt::print("{:<34} {:>24}\n", label, value);
  fmt::print("{}\n", help_entry("", demo.generated.verdict, 0, 80));
  write_report(demo.path("run"), demo.path("report.html"));
}

}  // namespace

void run_demo(const DemoCommand& command) {
  stop_requested();
  Demo demo{command};
  expect_not_an_input(command.output, {command.target});
  if (command.device == Device::cuda) expect_cuda();
  const DirectoryLock lock(command.output, "demo");
  clear_last_demo(demo);
  write_demo_config(demo, load_target(command.target));
  train_draft(demo);
  const ServedModels models = load_served_models(command.target, demo.path("draft"), {});
  log_template(models.reader);
  const auto prompts = read_prompts(command.target + "/held_out.jsonl", models.reader);
  const SpeculationReport result = compare(demo, models, prompts);
  fill_generated(demo, result, prompts, *models.reader.tokenizer);
  write_results(demo);
}

}  // namespace eyrie
