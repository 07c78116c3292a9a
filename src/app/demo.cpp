#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "app/commands.h"
#include "app/interrupt.h"
#include "app/output.h"
#include "app/progress.h"
#include "app/report.h"
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

struct Demo {
  const DemoCommand& command;
  Exec exec = {};
  Report report = {};
  std::vector<std::pair<std::string, double>> seconds = {};  // by phase

  std::string path(const char* name) const { return command.output + "/" + name; }
};

// The names in a run directory (train/trainer.h), and the mark.
bool written_by_run(const std::string& name) {
  for (const std::string_view numbered : {"checkpoint-", "dump-"})
    if (name.starts_with(numbered)) return name.find_first_not_of("0123456789.", numbered.size()) == name.npos;
  for (const char* own : {".eyrie-demo", ".eyrie-lock", "metrics.jsonl", "best.json", "run.toml"})
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

TrainOptions training_options(const Demo& demo) {
  TrainOptions options;
  options.model = demo.command.target;
  options.data = demo.command.target + "/conversations.jsonl";
  options.draft_config = demo.path("draft-config");
  options.output = demo.path("run");
  options.ttt_steps = 4;
  options.optimizer.learning_rate = 1.4e-3;
  options.optimizer.clip = 0.2;
  options.token_budget = 256;
  options.steps = 1400;
  return options;
}

// Trains, and keeps the figures of each step for the report's curves.
void train_draft(Demo& demo) {
  Stopwatch watch;
  const TrainOptions options = training_options(demo);
  const auto inputs = load_inputs(options);
  ProgressBar bar("train");
  TrainHooks hooks;
  hooks.stop = &stop_requested();
  hooks.progress = [&](const TrainProgress& now) { bar.update(now.step, now.steps, describe(now)); };
  const TrainResult result = train(demo.exec, options, *inputs, hooks);
  bar.end();
  demo.report.summary = fmt::format("{} training steps, {} tokens.", result.steps, result.tokens);
  run_export({result.checkpoint, demo.path("draft"), "", "bf16"});
  demo.seconds.emplace_back("training", watch.seconds());
}

// Adds one step to a curve whose points are means over kStepsPerPoint steps.
void add_to_curve(std::vector<CurvePoint>& curve, int64_t step, const Json::Array& depths, const char* key) {
  constexpr int64_t kStepsPerPoint = 8;
  if (curve.empty() || (step - 1) % kStepsPerPoint == 0)
    curve.push_back({step, std::vector<double>(depths.size(), 0.0)});
  CurvePoint& point = curve.back();
  const auto before = static_cast<double>((step - 1) % kStepsPerPoint);
  for (size_t k = 0; k < depths.size(); ++k)
    point.by_depth[k] += (depths[k].number(key) - point.by_depth[k]) / (before + 1);
  point.step = step;
}

// The curves of the report from the run's metrics.
void read_curves(Demo& demo) {
  for_each_json_line(demo.path("run/metrics.jsonl"), [&](const Json& line) {
    if (line.text("kind") != "train") return;
    add_to_curve(demo.report.loss, line.integer("step"), line.array("depths"), "loss");
    add_to_curve(demo.report.accuracy, line.integer("step"), line.array("depths"), "accuracy");
  });
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
    bar.update(done, static_cast<int64_t>(prompts.size()), fmt::format("{}/{} problems", done, prompts.size()));
    if (stop_requested()) throw Error(ErrorKind::interrupted, "demo", "interrupted");
  };
  SpeculationReport result = compare_speculation(demo.exec, models.target, *models.draft, ids, comparison);
  demo.seconds.emplace_back("generation, both ways", watch.seconds());
  return result;
}

void fill_table(Demo& demo, const SpeculationReport& result, const std::vector<Prompt>& prompts) {
  auto& table = demo.report.table;
  table.emplace_back("tokens/s without a draft", fmt::format("{:.0f}", result.plain.tokens_per_second()));
  table.emplace_back(fmt::format("tokens/s with the draft, chain {}", kChain),
                     fmt::format("{:.0f}", result.speculative.tokens_per_second()));
  table.emplace_back("speed-up", fmt::format("{:.2f}", result.speed_up()));
  table.emplace_back(fmt::format("accept length for chains 1..{}", kChain),
                     fmt::format("{:.2f}", fmt::join(result.accept_length_by_chain, "  ")));
  table.emplace_back("break-even accept length", fmt::format("{:.2f}", result.break_even()));
  table.emplace_back("identical outputs", fmt::format("{} of {}", result.identical, result.prompts));
  int64_t right = 0;
  for (size_t i = 0; i < prompts.size(); ++i) right += exact_match(result.results[i].text, prompts[i].answer);
  table.emplace_back("right answers", fmt::format("{} of {}", right, prompts.size()));
  for (const auto& [phase, seconds] : demo.seconds) table.emplace_back(phase, fmt::format("{:.1f} s", seconds));
}

// The longest answer, its accepted draft tokens coloured.
void fill_sample(Demo& demo, const SpeculationReport& result, const std::vector<Prompt>& prompts,
                 const Tokenizer& tokenizer) {
  size_t best = 0;
  for (size_t i = 0; i < prompts.size(); ++i)
    if (result.results[i].ids.size() > result.results[best].ids.size()) best = i;
  const GenerateResult& answer = result.results[best];
  StreamDecoder decoder(tokenizer, true);
  for (size_t t = 0; t < answer.ids.size(); ++t) {
    std::string text = decoder.push(answer.ids[t]);
    if (!text.empty()) demo.report.answer.push_back({std::move(text), answer.from_draft[t] != 0});
  }
  demo.report.question = prompts[best].question;
}

void write_demo_report(Demo& demo, const SpeculationReport& result) {
  const auto& steps = result.speculative.steps.steps_by_tokens;
  demo.report.title = "Eyrie: a draft for fledgling";
  demo.report.accepted.assign(steps.begin() + 1, steps.end());
  write_file_atomically(demo.path("report.html"), render_report(demo.report));
  fmt::print("\n");
  for (const auto& [label, value] : demo.report.table) fmt::print("{:<34} {:>24}\n", label, value);
  fmt::print("\nreport: {}\n", demo.path("report.html"));
}

}  // namespace

void run_demo(const DemoCommand& command) {
  stop_requested();
  Demo demo{command};
  expect_not_an_input(command.output, {command.target});
  const DirectoryLock lock(command.output, "demo");
  clear_last_demo(demo);
  write_demo_config(demo, load_target(command.target));
  train_draft(demo);
  const ServedModels models = load_served_models(command.target, demo.path("draft"), {});
  log_template(models.reader);
  const auto prompts = read_prompts(command.target + "/held_out.jsonl", models.reader);
  const SpeculationReport result = compare(demo, models, prompts);
  read_curves(demo);
  fill_table(demo, result, prompts);
  fill_sample(demo, result, prompts, *models.reader.tokenizer);
  write_demo_report(demo, result);
}

}  // namespace eyrie
