#include "app/flags.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>

#include "app/commands.h"
#include "app/usage.h"
#include "base/error.h"
#include "base/threads.h"

namespace eyrie {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr const char* kPath = "PATH";  // the type of flags that a run records as absolute paths

// CLI11's own validators print the bounds of a double, 309 digits.
CLI::Validator number_between(int64_t least, int64_t most, const std::string& expected) {
  const auto problem = [=](const std::string& word) -> std::string {
    int64_t value = 0;
    if (!CLI::detail::lexical_cast(word, value)) return fmt::format("expected a whole number, found \"{}\"", word);
    return value >= least && value <= most ? "" : fmt::format("expected a number {}, found {}", expected, word);
  };
  return {problem, ""};
}

CLI::Validator number_between(int64_t least, int64_t most) {
  return number_between(least, most, fmt::format("from {} to {}", least, most));
}

const CLI::Validator kShare(
    [](const std::string& word) -> std::string {
      double value = -1;
      const bool is_share = CLI::detail::lexical_cast(word, value) && value >= 0 && value <= 1;  // NaN is none
      return is_share ? "" : fmt::format("expected a number from 0 to 1, found \"{}\"", word);
    },
    "");
const CLI::Validator kAboveZero = number_between(1, kMost, "above 0");
const CLI::Validator kNotBelowZero = number_between(0, kMost, "of at least 0");

std::vector<std::string> items_of(const std::string& flag, const std::vector<std::string>& words) {
  std::vector<std::string> items;
  for (const std::string& word : words) {
    for (std::string& item : CLI::detail::split(word + ",", ',')) {
      if (item.empty()) throw CLI::ValidationError(flag, fmt::format("expected no empty item, found \"{}\"", word));
      items.push_back(std::move(item));
    }
  }
  return items;
}

// A list takes one word, "1,2,3", so that it cannot swallow what follows it; the flag may be repeated. CLI11's own
// delimiter would drop empty items.
template <typename T>
CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<T>& values, const std::string& description,
                      const CLI::Validator& of_item = {}) {
  const CLI::callback_t read = [=, &values](const CLI::results_t& words) {
    const CLI::results_t items = items_of(name, words);
    for (const std::string& item : items)
      if (const std::string problem = of_item(item); !problem.empty()) throw CLI::ValidationError(name, problem);
    return CLI::detail::lexical_conversion<std::vector<T>, std::vector<T>>(items, values);
  };
  return app.add_option(name, read, description)
      ->type_name(CLI::detail::type_name<T>())
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->allow_extra_args(false);
}

void bind(CLI::App& app, TokenizeOptions& o) {
  app.add_option("--model", o.model, "directory with tokenizer.json")->required();
}

void bind(CLI::App& app, ChatOptions& o, const std::string& group = "Options") {
  app.add_option("--chat-template", o.chat_template, "built-in name or file; default: the model's own")->group(group);
  // A value may hold commas: no list.
  const CLI::callback_t read = [&o](const CLI::results_t& words) { return o.template_args = words, true; };
  app.add_option("--template-arg", read, "for the template, VALUE as JSON or text; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--template-date", o.template_date, "YYYY-MM-DD [HH:MM:SS] that it sees; default: now")->group(group);
}

CLI::Option* add_bad_lines(CLI::App& app, double& share) {
  return app.add_option("--bad-lines", share, "share of the lines that may be unfit")->check(kShare);
}

void bind(CLI::App& app, CaptureOptions& o) {
  app.add_option("--model", o.model, "the target: a Hugging Face directory")->required();
  app.add_option("--input", o.input, "conversations, JSONL")->required();
  app.add_option("--output", o.output, "directory for the feature files")->required();
  app.add_option("--dtype", o.dtype, "of the features")->check(CLI::IsMember({"f32", "bf16"}));
  bind(app, o.chat);
  add_bad_lines(app, o.bad_lines);
  add_list(app, "--tap-ids", o.tap_ids, "output ids of the tapped layers");
  app.add_option("--max-tokens", o.max_tokens, "longer sequences are cut")->check(kAboveZero);
  app.add_option("--token-budget", o.token_budget, "tokens of one packed batch")->check(kAboveZero);
}

void bind(CLI::App& app, DataCommand& o) {
  app.add_option("FILE", o.file, "conversations, JSONL")->required();
  app.add_option("--model", o.model, "the target: a directory with tokenizer.json and its template")->required();
  bind(app, o.chat);
  add_bad_lines(app, o.bad_lines);
  app.add_option("--max-tokens", o.max_tokens, "longer sequences are cut")->check(kAboveZero);
  app.add_option("--draft-vocabulary", o.draft_vocabulary, "tokens whose misses are counted; 0: all up to 32,000")
      ->check(kNotBelowZero);
  app.add_option("--show", o.show, "sequences to print, what is supervised in green or in « »")->check(kNotBelowZero);
  app.add_flag("--json", o.json, "one JSON object instead of the table");
}

void bind(CLI::App& app, SamplingOptions& o) {
  app.add_option("--temperature", o.temperature, "0: greedy");
  app.add_option("--top-k", o.top_k, "keep the k likeliest tokens; 0: off");
  app.add_option("--top-p", o.top_p, "keep the likeliest tokens of this mass; 1: off");
  app.add_option("--min-p", o.min_p, "keep tokens at least this share as likely as the likeliest; 0: off");
  app.add_option("--repetition-penalty", o.repetition_penalty, "1: off");
  app.add_option("--presence-penalty", o.presence_penalty, "0: off");
  app.add_option("--frequency-penalty", o.frequency_penalty, "0: off");
  app.add_option("--seed", o.seed, "of the draws");
}

void bind(CLI::App& app, GenerateCommand& o) {
  app.add_option("--model", o.model, "the target: a Hugging Face directory")->required();
  app.add_option("--draft", o.draft, "a draft directory: speculate with it");
  app.add_option("--prompt", o.prompt, "one user turn; the answer streams to the terminal");
  app.add_option("--input", o.input, "prompts, JSONL; one JSON line each comes out");
  app.add_option("--output", o.output, "file for the lines; default: standard output");
  bind(app, o.chat);
  app.add_flag("--raw", o.raw, "the prompt is plain text: no chat template");
  add_list(app, "--tap-ids", o.tap_ids, "output ids of the tapped layers, instead of the draft's");
  app.add_option("--max-new-tokens", o.max_new_tokens, "of one answer")->check(kAboveZero);
  app.add_option("--chain", o.chain, "drafts per verify")->check(number_between(0, 15));
  app.add_option("--stop", o.stop_strings, "a string that ends the text; may be repeated")->allow_extra_args(false);
  add_list(app, "--stop-id", o.stop_ids, "tokens that end the text, besides the model's own");
  app.add_flag("--ignore-stop", o.ignore_stop, "the model's own stop tokens do not end the text");
  bind(app, o.sampling);
}

void bind(CLI::App& app, BenchOptions& o) {
  app.add_option("part", o.parts, "see --list; default: all");
  app.add_option("--only", o.filter, "cases whose name contains this");
  app.add_flag("--list", o.list, "names of the parts and their cases");
  app.add_option("--device", o.device, "cuda: of `attention` alone")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--model", o.model, "the target that `speculation` and `train` measure");
}

void bind(CLI::App& app, TrainCommand& o) {
  TrainOptions& t = o.train;
  app.set_config("--config", "", "a TOML file: every flag of this list is a key of it")->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_flag("--plan", t.plan, "print the resolved run without starting it");

  app.add_option("--model", t.model, "the target: a Hugging Face directory")->type_name(kPath);
  app.add_option("--data", t.data, "conversations to train on, JSONL")->type_name(kPath)->group("Data");
  app.add_option("--held-out", t.held_out, "conversations (or features) to evaluate on")
      ->type_name(kPath)
      ->group("Data");
  app.add_option("--features", t.features, "captured features to train on, instead of conversations")
      ->type_name(kPath)
      ->group("Data");
  app.add_option("--target-weights", t.target_weights, "with features: where lm_head and embeddings are")
      ->type_name(kPath)
      ->group("Data");
  app.add_option("--lm-head-key", t.lm_head_key, "its tensor there")->group("Data");
  app.add_option("--embedding-key", t.embedding_key, "their tensor there")->group("Data");
  bind(app, t.chat, "Data");
  add_bad_lines(app, t.bad_lines)->group("Data");
  app.add_option("--max-tokens", t.max_tokens, "longer sequences are cut")->group("Data")->check(kAboveZero);

  app.add_option("--draft-config", t.draft_config, "directory with a draft's config.json")
      ->type_name(kPath)
      ->group("Draft");
  add_list(app, "--tap-ids", t.tap_ids, "output ids of the tapped layers")->group("Draft");
  app.add_option("--draft-vocabulary", t.draft_vocabulary, "tokens; 0: the config's, or all up to 32,000")
      ->group("Draft");
  app.add_option("--init-draft", t.init_draft, "a draft to begin with")->type_name(kPath)->group("Draft");
  app.add_option("--init", t.init, "head and last norm of a new draft")
      ->group("Draft")
      ->check(CLI::IsMember({"target", "random"}));

  app.add_option("--ttt-steps", t.ttt_steps, "depths K")->group("Loss")->check(number_between(1, 17));
  app.add_option("--loss-decay", t.loss_decay, "w: depth k weighs w^k")->group("Loss");
  app.add_option("--normalize", t.normalize, "what n_k counts")
      ->group("Loss")
      ->check(CLI::IsMember({"step", "micro-batch"}));
  app.add_option("--attention", t.attention, "backend")->group("Loss");

  app.add_option("--learning-rate", t.optimizer.learning_rate, "peak")->group("Optimizer");
  app.add_option("--warmup-share", t.optimizer.warmup_share, "of all steps")->group("Optimizer");
  app.add_option("--beta1", t.optimizer.beta1, "decay of the first moment")->group("Optimizer");
  app.add_option("--beta2", t.optimizer.beta2, "decay of the second moment")->group("Optimizer");
  app.add_option("--epsilon", t.optimizer.epsilon, "beside the root of the second moment")->group("Optimizer");
  app.add_option("--weight-decay", t.optimizer.weight_decay, "decoupled, of every weight")->group("Optimizer");
  app.add_option("--clip", t.optimizer.clip, "of the gradient's norm; 0: none")->group("Optimizer");
  app.add_option("--spike-factor", t.optimizer.spike_factor, "norms beyond this many medians are dumped; 0: never")
      ->group("Optimizer");

  app.add_option("--epochs", t.epochs, "times through the data")->group("Run")->check(kAboveZero);
  app.add_option("--steps", t.steps, "optimizer steps; 0: as many as the epochs have")->group("Run");
  app.add_option("--token-budget", t.token_budget, "tokens of one packed batch")->group("Run")->check(kAboveZero);
  app.add_option("--accumulate", t.accumulate, "packed batches of one step")->group("Run")->check(kAboveZero);
  app.add_option("--seed", t.seed, "of the order of the data and the new weights")->group("Run");
  app.add_option("--output", t.output, "run directory: checkpoints, metrics, dumps")->type_name(kPath)->group("Run");
  app.add_flag("--resume", t.resume, "go on from the newest checkpoint of --output, with the flags recorded there")
      ->group("Run");
  app.add_option("--evaluate-every", t.evaluate_every, "steps; 0: at the end")->group("Run");
  app.add_option("--generate-every", t.generate_every, "evaluations; 0: at the end")->group("Run");
  app.add_option("--checkpoint-every", t.checkpoint_every, "steps; 0: at the end")->group("Run");
  app.add_option("--keep", t.keep, "newest checkpoints kept beside the best")->group("Run");
  app.add_option("--chain", t.chain, "drafts per verify of the accept length")->group("Run");
  app.add_option("--prompts", o.prompts, "prompts for the generated accept length")->type_name(kPath)->group("Run");
  app.add_option("--prompt-count", o.prompt_count, "how many of them")->group("Run");
  add_list(app, "--dump-steps", t.dump_steps, "steps to dump, counted from 0")->group("Run");
}

void bind(CLI::App& app, ExportCommand& o) {
  app.add_option("--checkpoint", o.checkpoint, "a checkpoint of a run, or any draft directory")->required();
  app.add_option("--output", o.output, "directory to write")->required();
  app.add_option("--for", o.reader, "whose conventions")->check(CLI::IsMember({"sglang", "vllm"}));
  app.add_option("--dtype", o.dtype, "of the weights")->check(CLI::IsMember({"bf16", "f32"}));
}

void bind(CLI::App& app, ReplayCommand& o) {
  app.add_option("DUMP", o.replay.directory, "directory with batch.safetensors and draft/")->required();
  add_list(app, "--attention", o.replay.attention, "backends, each compared with the first; default: auto");
  app.add_option("--attention-device", o.attention_device, "cuda: the attention alone there, beside the CPU's")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--normalize", o.normalize, "default: as the dump says")
      ->check(CLI::IsMember({"step", "micro-batch"}));
  app.add_option("--ttt-steps", o.ttt_steps, "depths; default: as the dump says")->check(number_between(1, 17));
  app.add_option("--model", o.replay.model, "the target, for its lm_head and embeddings");
  app.add_option("--out", o.output,
                 "safetensors file for loss and gradients: grad.midlayer.*, also of a draft that writes layers.0.*")
      ->required();
}

void bind(CLI::App& app, InspectCommand& o) {
  app.add_option("DIR", o.directory, "a model or a draft")->required();
  app.add_option("--against", o.against, "the target that the draft should fit");
  app.add_option("--prompts", o.prompts, "JSONL: probe the acceptance under each reading of the draft");
  bind(app, o.chat);
  app.add_option("--max-new-tokens", o.max_new_tokens, "per prompt of the probe")->check(kAboveZero);
}

void bind(CLI::App& app, MaskCommand& o) {
  app.add_option("--q", o.q, "query rows; default: what the lengths or documents take")->check(kAboveZero);
  app.add_option("--rounds", o.rounds, "the prefix and the suffixes behind it")->check(kAboveZero);
  add_list(app, "--lengths", o.lengths, "valid rows of each entry of a right-padded batch", kNotBelowZero);
  add_list(app, "--documents", o.documents, "lengths of sequences packed into one row", kAboveZero);
  app.add_option("--tile", o.tile, "query rows x keys of a tile");
  app.add_option("--out", o.output, "picture to write: .svg or .png")->required();
}

void bind(CLI::App& app, ReportCommand& o) {
  app.add_option("RUN", o.run, "directory of a run: finished, going on or broken off")->required();
  app.add_option("--output", o.output, "page to write; default: report.html in RUN");
}

void bind(CLI::App& app, DemoCommand& o) {
  app.add_option("--target", o.target, "the bundled target");
  app.add_option("--output", o.output, "directory for the run, the draft and report.html");
}

class HelpFormatter : public CLI::Formatter {
  // "FLOAT", "a|b" for a choice; CLI11 writes "TEXT:{a,b}" and "INT:INT in [1 - 17]".
  static std::string value_of(const CLI::Option* option) {
    std::string type = option->get_type_name();
    const size_t colon = type.find(':');
    if (option->get_type_size() == 0 || type.empty()) return "";
    if (colon == std::string::npos || type[colon + 1] != '{') return " " + type.substr(0, colon);
    type = type.substr(colon + 2, type.size() - colon - 3);
    std::replace(type.begin(), type.end(), ',', '|');
    return " " + type;
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string description = option->get_description();
    const std::string standard = option->get_default_str();
    const bool told = description.find("default:") != std::string::npos;
    if (option->get_required())
      description += " (required)";
    else if (option->get_type_size() != 0 && !told && !standard.empty() && standard != "[]")
      description += " (default " + standard + ")";
    const std::string value = is_positional ? "" : value_of(option);
    return help_entry("  " + make_option_name(option, is_positional) + value, description, 30, 80);
  }

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    return CLI::detail::find_and_replace(CLI::Formatter::make_help(app, name, mode), "\n\n\n", "\n\n");
  }
};

std::vector<std::string> names_of(const CLI::App& app, const std::string& dashes) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back(dashes + name);
  return names;
}

// The first word of the command line that this command does not know.
void refuse_unknown(const CLI::App& app, const std::string& command) {
  if (app.remaining_size() == 0) return;
  const std::string word = app.remaining()[0], flag = word.substr(0, word.find('='));
  if (!flag.starts_with('-')) throw Error(ErrorKind::usage, command, "\"" + word + "\" is one argument too many");
  throw Error(ErrorKind::usage, command, "there is no option " + flag + suggestion(flag, names_of(app, "--")));
}

// `place`: the file, or the flag that names it.
[[noreturn]] void refuse_config(const CLI::App& app, const std::string& place, std::string message) {
  const std::string unknown_key = "INI was not able to parse ";  // CLI11's words
  if (message.starts_with(unknown_key)) {
    const std::string key = message.substr(unknown_key.size());
    if (const size_t section = key.find(".++"); section != std::string::npos)
      message = "there is no section [" + key.substr(0, section) + "]";
    else
      message = "there is no key \"" + key + "\"" + suggestion(key, names_of(app, ""));
  }
  throw Error(ErrorKind::usage, place, message);
}

// A resumed run has the flags that it recorded, but for those that are given now.
void recall_flags(CLI::App& app, const TrainOptions& options) {
  const std::string path = options.output + "/run.toml";
  std::ifstream file(path);
  if (!options.resume || !file) return;
  if (app.count("--epochs") > 0 && app.count("--steps") == 0) app.get_option("--steps")->add_result("0");
  try {
    app.parse_from_stream(file);
  } catch (const CLI::ParseError& error) {
    refuse_config(app, path, error.what());
  }
}

void set_flag(CLI::Option* option, const std::string& value) {
  option->clear();
  if (!value.empty()) option->add_result(value);
}

// Every flag and its value. Paths are absolute: the run may be resumed from another working directory.
std::string as_toml(CLI::App& app) {
  for (const char* of_this_call : {"--resume", "--plan", "--threads"}) app.get_option(of_this_call)->clear();
  for (CLI::Option* option : app.get_options({})) {
    if (option->count() == 0 && option->get_default_str() == "[]")
      option->configurable(false);  // would read as one "[]"
    const bool is_path = option->get_type_name() == kPath;
    if (!is_path && option->get_name() != "--chat-template") continue;
    const auto path = option->as<std::string>();
    // A template is a file or a built-in name.
    const bool absolute = !path.empty() && (is_path || std::filesystem::is_regular_file(path));
    set_flag(option, absolute ? std::filesystem::absolute(path).lexically_normal().string() : path);
  }
  return app.config_to_str(true);
}

void finish_parsing(CLI::App&, auto&) {}
void finish_parsing(CLI::App& app, TrainCommand& command) {
  recall_flags(app, command.train);
  // The one instant that a run's template tells, also when it is resumed.
  std::string& date = command.train.chat.template_date;
  if (date.empty()) date = date_text(std::time(nullptr));
  set_flag(app.get_option("--template-date"), date);
  command.train.flags = as_toml(app);
}

template <typename Options, void (*Run)(const Options&)>
void parse_and_run(int argc, char** argv) {
  Options options;
  CLI::App app("", std::string("eyrie ") + argv[0]);
  app.option_defaults()->always_capture_default();
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(help_footer(argv[0]));
  app.allow_extras();
  bind(app, options);
  int64_t threads = 0;
  app.add_option("--threads", threads, "default: OMP_NUM_THREADS, or one for each processor that may be used")
      ->check(number_between(0, kMostThreads));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return;
  } catch (const CLI::ConfigError& error) {
    refuse_config(app, std::string(argv[0]) + ": --config", error.what());
  } catch (const CLI::ParseError& error) {
    refuse_unknown(app, argv[0]);
    throw Error(ErrorKind::usage, argv[0], error.what());
  }
  refuse_unknown(app, argv[0]);
  set_thread_count(threads);
  finish_parsing(app, options);
  Run(options);
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
