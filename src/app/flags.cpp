#include "app/flags.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/idle_flags.h"
#include "base/error.h"
#include "base/threads.h"

namespace eyrie {
namespace {

CLI::Option* add_tap_ids(CLI::App& app, std::vector<int64_t>& ids, const std::string& description) {
  const CLI::callback_t read = [&ids](const CLI::results_t& words) {
    const std::vector<std::string> items = items_of("--tap-ids", words);
    ids.clear();
    for (const std::string& item : items) ids.push_back(whole_number("--tap-ids", item, {}));
    if (std::ranges::adjacent_find(ids, std::greater_equal()) == ids.end()) return true;
    throw CLI::ValidationError("--tap-ids", fmt::format("expected ids that rise, found {}", fmt::join(items, ",")));
  };
  return add_words(app, "--tap-ids", read, description)->type_name("INT");
}

void bind(CLI::App& app, TokenizeOptions& o) {
  add_path(app, "--model", o.model, "directory with tokenizer.json")->required();
}

void bind(CLI::App& app, ChatOptions& o, const std::string& group = "Options") {
  app.add_option("--chat-template", o.chat_template, "built-in name or file; default: the model's own")->group(group);
  // A value may hold commas.
  const CLI::callback_t read = [&o](const CLI::results_t& words) { return o.template_args = words, true; };
  add_words(app, "--template-arg", read, "for the template, VALUE as JSON or text; may be repeated")
      ->type_name("KEY=VALUE")
      ->group(group);
  app.add_option("--template-date", o.template_date, "YYYY-MM-DD [HH:MM:SS] that it sees; default: now")->group(group);
}

CLI::Option* add_bad_lines(CLI::App& app, double& share) {
  return add_real(app, "--bad-lines", share, "share of the lines that may be unfit", {0, 1});
}

void bind(CLI::App& app, CaptureOptions& o) {
  add_path(app, "--model", o.model, "the target: a Hugging Face directory")->required();
  add_path(app, "--input", o.input, "conversations, JSONL")->required();
  add_path(app, "--output", o.output, "directory for the feature files")->required();
  app.add_option("--dtype", o.dtype, "of the features")->check(CLI::IsMember({"f32", "bf16"}));
  bind(app, o.chat);
  add_bad_lines(app, o.bad_lines);
  add_tap_ids(app, o.tap_ids, "output ids of the tapped layers");
  add_whole(app, "--max-tokens", o.max_tokens, "longer sequences are cut", kAboveZero);
  add_whole(app, "--token-budget", o.token_budget, "tokens of one packed batch", kAboveZero);
}

void bind(CLI::App& app, DataCommand& o) {
  add_path(app, "FILE", o.file, "conversations, JSONL")->required();
  add_path(app, "--model", o.model, "the target: a directory with tokenizer.json and its template")->required();
  bind(app, o.chat);
  add_bad_lines(app, o.bad_lines);
  add_whole(app, "--max-tokens", o.max_tokens, "longer sequences are cut", kAboveZero);
  add_whole(app, "--draft-vocabulary", o.draft_vocabulary, "tokens whose misses are counted; 0: all up to 32,000");
  add_whole(app, "--show", o.show, "sequences to print, what is supervised in green or in « »");
  app.add_flag("--json", o.json, "one JSON object instead of the table");
}

void bind(CLI::App& app, SamplingOptions& o) {
  add_real(app, "--temperature", o.temperature, "0: greedy");
  add_whole(app, "--top-k", o.top_k, "keep the k likeliest tokens; 0: off");
  add_real(app, "--top-p", o.top_p, "keep the likeliest tokens of this mass; 1: off");
  add_real(app, "--min-p", o.min_p, "keep tokens at least this share as likely as the likeliest; 0: off");
  add_real(app, "--repetition-penalty", o.repetition_penalty, "1: off");
  add_real(app, "--presence-penalty", o.presence_penalty, "0: off");
  add_real(app, "--frequency-penalty", o.frequency_penalty, "0: off");
  add_whole(app, "--seed", o.seed, "of the draws");
}

void bind(CLI::App& app, GenerateCommand& o) {
  add_path(app, "--model", o.model, "the target: a Hugging Face directory")->required();
  add_path(app, "--draft", o.draft, "a draft directory: speculate with it");
  app.add_option("--prompt", o.prompt, "one user turn; the answer streams to the terminal");
  add_path(app, "--input", o.input, "prompts, JSONL; one JSON line each comes out");
  add_path(app, "--output", o.output, "file for the lines; default: standard output");
  bind(app, o.chat);
  app.add_flag("--raw", o.raw, "the prompt is plain text: no chat template");
  add_tap_ids(app, o.tap_ids, "output ids of the tapped layers, instead of the draft's");
  add_whole(app, "--max-new-tokens", o.max_new_tokens, "of one answer", kAboveZero);
  add_whole(app, "--chain", o.chain, "drafts per verify", {0, 15});
  app.add_option("--stop", o.stop_strings, "a string that ends the text; may be repeated")->allow_extra_args(false);
  add_list(app, "--stop-id", o.stop_ids, "tokens that end the text, besides the model's own", {0, INT32_MAX});
  app.add_flag("--ignore-stop", o.ignore_stop, "the model's own stop tokens do not end the text");
  bind(app, o.sampling);
}

void bind(CLI::App& app, BenchOptions& o) {
  app.add_option("part", o.parts, "see --list; default: all");
  app.add_option("--only", o.filter, "cases whose name contains this");
  app.add_flag("--list", o.list, "names of the parts and their cases");
  app.add_option("--device", o.device, "cuda: of `attention` alone")->check(CLI::IsMember({"cpu", "cuda"}));
  add_path(app, "--model", o.model, "the target that `speculation` and `train` measure");
}

void bind(CLI::App& app, TrainCommand& o) {
  TrainOptions& t = o.train;
  add_path(app, "--config", o.config, "a TOML file: every flag of this list is a key of it")->type_name("FILE");
  app.add_flag("--plan", t.plan, "print the resolved run without starting it");

  add_path(app, "--model", t.model, "the target: a Hugging Face directory");
  add_path(app, "--data", t.data, "conversations to train on, JSONL")->group("Data");
  add_path(app, "--held-out", t.held_out, "conversations (or features) to evaluate on")->group("Data");
  add_path(app, "--features", t.features, "captured features to train on, instead of conversations")->group("Data");
  add_path(app, "--target-weights", t.target_weights, "with features: where lm_head and embeddings are")->group("Data");
  app.add_option("--lm-head-key", t.lm_head_key, "its tensor there")->group("Data");
  app.add_option("--embedding-key", t.embedding_key, "their tensor there")->group("Data");
  bind(app, t.chat, "Data");
  add_bad_lines(app, t.bad_lines)->group("Data");
  add_whole(app, "--max-tokens", t.max_tokens, "longer sequences are cut", kAboveZero)->group("Data");

  add_path(app, "--draft-config", t.draft_config, "directory with a draft's config.json")->group("Draft");
  add_tap_ids(app, t.tap_ids, "output ids of the tapped layers")->group("Draft");
  add_whole(app, "--draft-vocabulary", t.draft_vocabulary, "most tokens; 0: the config's, or 32,000")->group("Draft");
  add_path(app, "--init-draft", t.init_draft, "a draft to begin with")->group("Draft");
  app.add_option("--init", t.init, "head and last norm of a new draft")
      ->group("Draft")
      ->check(CLI::IsMember({"target", "random"}));

  add_whole(app, "--ttt-steps", t.ttt_steps, "depths K", {1, 17})->group("Loss");
  add_real(app, "--loss-decay", t.loss_decay, "w: depth k weighs w^k")->group("Loss");
  app.add_option("--normalize", t.normalize, "what n_k counts")
      ->group("Loss")
      ->check(CLI::IsMember({"step", "micro-batch"}));
  app.add_option("--attention", t.attention, "backend")->group("Loss");

  add_real(app, "--learning-rate", t.optimizer.learning_rate, "peak")->group("Optimizer");
  add_real(app, "--warmup-share", t.optimizer.warmup_share, "of all steps")->group("Optimizer");
  add_real(app, "--beta1", t.optimizer.beta1, "decay of the first moment")->group("Optimizer");
  add_real(app, "--beta2", t.optimizer.beta2, "decay of the second moment")->group("Optimizer");
  add_real(app, "--epsilon", t.optimizer.epsilon, "beside the root of the second moment")->group("Optimizer");
  add_real(app, "--weight-decay", t.optimizer.weight_decay, "decoupled, of every weight")->group("Optimizer");
  add_real(app, "--clip", t.optimizer.clip, "of the gradient's norm; 0: none")->group("Optimizer");
  add_real(app, "--spike-factor", t.optimizer.spike_factor, "norms beyond this many medians are dumped; 0: never")
      ->group("Optimizer");

  add_whole(app, "--epochs", t.epochs, "times through the data", kAboveZero)->group("Run");
  add_whole(app, "--steps", t.steps, "optimizer steps; 0: as many as the epochs have")->group("Run");
  add_whole(app, "--token-budget", t.token_budget, "tokens of one packed batch", kAboveZero)->group("Run");
  add_whole(app, "--accumulate", t.accumulate, "packed batches of one step", kAboveZero)->group("Run");
  add_whole(app, "--seed", t.seed, "of the order of the data and the new weights")->group("Run");
  add_path(app, "--output", t.output, "run directory: checkpoints, metrics, dumps")->group("Run");
  app.add_flag("--resume", t.resume, "go on from the newest checkpoint of --output, with the flags recorded there")
      ->group("Run");
  add_whole(app, "--evaluate-every", t.evaluate_every, "steps; 0: at the end")->group("Run");
  add_whole(app, "--generate-every", t.generate_every, "evaluations; 0: at the end")->group("Run");
  add_whole(app, "--checkpoint-every", t.checkpoint_every, "steps; 0: at the end")->group("Run");
  add_whole(app, "--keep", t.keep, "newest checkpoints kept beside the best")->group("Run");
  add_whole(app, "--chain", t.chain, "drafts per verify of the accept length")->group("Run");
  add_path(app, "--prompts", o.prompts, "prompts for the generated accept length")->group("Run");
  add_whole(app, "--prompt-count", o.prompt_count, "how many of them")->group("Run");
  add_list(app, "--dump-steps", t.dump_steps, "steps to dump, counted from 0")->group("Run");
}

void bind(CLI::App& app, ExportCommand& o) {
  add_path(app, "--checkpoint", o.checkpoint, "a checkpoint of a run, or any draft directory")->required();
  add_path(app, "--output", o.output, "directory to write")->required();
  app.add_option("--for", o.reader, "whose conventions")->check(CLI::IsMember({"sglang", "vllm"}));
  app.add_option("--dtype", o.dtype, "of the weights")->check(CLI::IsMember({"bf16", "f32"}));
}

void bind(CLI::App& app, ReplayCommand& o) {
  add_path(app, "DUMP", o.replay.directory, "directory with batch.safetensors and draft/")->required();
  add_list(app, "--attention", o.replay.attention, "backends, each compared with the first; default: auto");
  app.add_option("--attention-device", o.attention_device, "cuda: the attention alone there, beside the CPU's")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--normalize", o.normalize, "default: as the dump says")
      ->check(CLI::IsMember({"step", "micro-batch"}));
  add_whole(app, "--ttt-steps", o.ttt_steps, "depths; default: as the dump says", {1, 17});
  add_path(app, "--model", o.replay.model, "the target, for its lm_head and embeddings");
  add_path(app, "--out", o.output,
           "safetensors file for loss and gradients: grad.midlayer.*, also of a draft that writes layers.0.*")
      ->required();
}

void bind(CLI::App& app, InspectCommand& o) {
  add_path(app, "DIR", o.directory, "a model or a draft")->required();
  add_path(app, "--against", o.against, "the target that the draft should fit");
  add_path(app, "--prompts", o.prompts, "JSONL: probe the acceptance under each reading of the draft");
  bind(app, o.chat);
  add_whole(app, "--max-new-tokens", o.max_new_tokens, "per prompt of the probe", kAboveZero);
}

void bind(CLI::App& app, MaskCommand& o) {
  add_whole(app, "--q", o.q, "query rows; default: what the lengths or documents take", kAboveZero);
  add_whole(app, "--rounds", o.rounds, "the prefix and the suffixes behind it", kAboveZero);
  add_list(app, "--lengths", o.lengths, "valid rows of each entry of a right-padded batch");
  add_list(app, "--documents", o.documents, "lengths of sequences packed into one row", kAboveZero);
  app.add_option("--tile", o.tile, "query rows x keys of a tile");
  add_path(app, "--out", o.output, "picture to write, .svg")->required();
}

void bind(CLI::App& app, ReportCommand& o) {
  add_path(app, "RUN", o.run, "directory of a run: finished, going on or broken off")->required();
  add_path(app, "--output", o.output, "page to write; default: report.html in RUN");
}

void bind(CLI::App& app, DemoCommand& o) {
  add_path(app, "--target", o.target, "the bundled target");
  add_path(app, "--output", o.output, "directory for the run, the draft and report.html");
}

void refuse_idle(const CommandLine& line, const std::vector<std::string>& given, const std::vector<IdleFlag>& idle) {
  for (const auto& [key, why] : idle)
    if (std::ranges::count(given, key) > 0)
      throw Error(ErrorKind::usage, line.place_of(std::string(key)), std::string(why));
}

// What the words of the command line leave to others.
void complete(CommandLine& line, auto& options) {
  if constexpr (requires { idle_flags(options); }) refuse_idle(line, line.given(), idle_flags(options));
}

// A resumed run has the flags that it recorded, but for those that are given now.
void recall(CommandLine& line, const TrainOptions& options) {
  const std::string path = options.output + "/run.toml";
  if (!options.resume || !std::filesystem::exists(path)) return;
  if (line.given("epochs") && !line.given("steps")) line.set("steps", "0");
  line.take_file(path);
}

void complete(CommandLine& line, TrainCommand& command) {
  if (!command.config.empty()) line.take_file(command.config);
  const std::vector<std::string> given = line.given();
  recall(line, command.train);
  refuse_idle(line, given, idle_flags(command));
  // The one instant that a run's template tells, also when it is resumed.
  if (command.train.features.empty() && command.train.chat.template_date.empty())
    line.set("template-date", date_text(std::time(nullptr)));
  command.train.flags = write_toml(line.entries({"config", "resume", "plan", "threads"}));
}

template <typename Options, void (*Run)(const Options&)>
void parse_and_run(int argc, char** argv) {
  Options options;
  CommandLine line(argv[0]);
  bind(line.app(), options);
  int64_t threads = 0;
  add_whole(line.app(), "--threads", threads, "default: OMP_NUM_THREADS, or one for each processor that may be used",
            {0, kMostThreads});
  if (!line.parse(argc, argv)) return;
  complete(line, options);
  set_thread_count(threads);
  line.with_places([&] { Run(options); });
}

constexpr Command kCommands[] = {
    {"tokenize", "JSONL {\"text\"} on standard input to {\"ids\", \"text\"} lines",
     parse_and_run<TokenizeOptions, run_tokenize>},
    {"data", "say what training will see of conversations", parse_and_run<DataCommand, run_data>},
    {"capture", "write a target's features for training without it", parse_and_run<CaptureOptions, run_capture>},
    {"train", "train a draft for a target", parse_and_run<TrainCommand, run_train>},
    {"export", "write a checkpoint's draft for a reader", parse_and_run<ExportCommand, run_export>},
    {"replay", "compute one dumped training step again", parse_and_run<ReplayCommand, run_replay>},
    {"generate", "answer prompts, with a draft or without", parse_and_run<GenerateCommand, run_generate>},
    {"inspect", "say what a model or draft is, and whether they fit", parse_and_run<InspectCommand, run_inspect>},
    {"mask", "draw the block mask of an attention shape and say what it costs", parse_and_run<MaskCommand, run_mask>},
    {"report", "write the page of a run: curves, settings, sample answers", parse_and_run<ReportCommand, run_report>},
    {"demo", "train a draft for the bundled target and show what it gains", parse_and_run<DemoCommand, run_demo>},
    {"bench", "time the parts beside the limits of this machine", parse_and_run<BenchOptions, run_bench>},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace eyrie
