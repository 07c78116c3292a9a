#include <algorithm>
#include <ctime>
#include <filesystem>

#include "app/command_line.h"
#include "app/commands.h"
#include "base/error.h"
#include "base/threads.h"

namespace eyrie {
namespace {

void bind(CommandLine& line, TokenizeOptions& o) {
  line.required_path("--model", o.model, "directory with tokenizer.json");
}

void bind(CommandLine& line, ChatOptions& o) {
  line.text("--chat-template", o.chat_template, "built-in name or file; default: the model's own");
  line.words("--template-arg", o.template_args, "for the template, VALUE as JSON or text; may be repeated",
             "KEY=VALUE");
  line.text("--template-date", o.template_date, "YYYY-MM-DD [HH:MM:SS] that it sees; default: now");
}

void bind_bad_lines(CommandLine& line, double& share) {
  line.real("--bad-lines", share, "share of the lines that may be unfit", {0, 1});
}

void bind(CommandLine& line, CaptureOptions& o) {
  line.required_path("--model", o.model, "the target: a Hugging Face directory");
  line.required_path("--input", o.input, "conversations, JSONL");
  line.required_path("--output", o.output, "directory for the feature files");
  line.choice("--dtype", o.dtype, "of the features", {{"f32", DType::f32}, {"bf16", DType::bf16}});
  bind(line, o.chat);
  bind_bad_lines(line, o.bad_lines);
  line.list("--tap-ids", o.tap_ids, "output ids of the tapped layers", {.rising = true});
  line.whole("--max-tokens", o.max_tokens, "longer sequences are cut", kAboveZero);
  line.whole("--token-budget", o.token_budget, "tokens of one packed batch", kAboveZero);
}

void bind(CommandLine& line, DataCommand& o) {
  line.required_path("FILE", o.file, "conversations, JSONL");
  line.required_path("--model", o.model, "the target: a directory with tokenizer.json and its template");
  bind(line, o.chat);
  bind_bad_lines(line, o.bad_lines);
  line.whole("--max-tokens", o.max_tokens, "longer sequences are cut", kAboveZero);
  line.whole("--draft-vocabulary", o.draft_vocabulary, "tokens whose misses are counted; 0: all up to 32,000");
  line.whole("--show", o.show, "sequences to print, what is supervised in green or in « »");
  line.flag("--json", o.json, "one JSON object instead of the table");
}

void bind(CommandLine& line, SamplingOptions& o) {
  line.real("--temperature", o.temperature, "0: greedy");
  line.whole("--top-k", o.top_k, "keep the k likeliest tokens; 0: off");
  line.real("--top-p", o.top_p, "keep the likeliest tokens of this mass; 1: off");
  line.real("--min-p", o.min_p, "keep tokens at least this share as likely as the likeliest; 0: off");
  line.real("--repetition-penalty", o.repetition_penalty, "1: off");
  line.real("--presence-penalty", o.presence_penalty, "0: off");
  line.real("--frequency-penalty", o.frequency_penalty, "0: off");
  line.whole("--seed", o.seed, "of the draws");
}

void bind(CommandLine& line, GenerateCommand& o) {
  line.required_path("--model", o.model, "the target: a Hugging Face directory");
  line.path("--draft", o.draft, "a draft directory: speculate with it");
  line.text("--prompt", o.prompt, "one user turn; the answer streams to the terminal");
  line.path("--input", o.input, "prompts, JSONL; one JSON line each comes out");
  line.path("--output", o.output, "file for the lines; default: standard output");
  bind(line, o.chat);
  line.flag("--raw", o.raw, "the prompt is plain text: no chat template");
  line.list("--tap-ids", o.tap_ids, "output ids of the tapped layers, instead of the draft's", {.rising = true});
  line.whole("--max-new-tokens", o.max_new_tokens, "of one answer", kAboveZero);
  line.whole("--chain", o.chain, "drafts per verify", {0, 15});
  line.words("--stop", o.stop_strings, "a string that ends the text; may be repeated");
  line.list("--stop-id", o.stop_ids, "tokens that end the text, besides the model's own", {0, INT32_MAX});
  line.flag("--ignore-stop", o.ignore_stop, "the model's own stop tokens do not end the text");
  bind(line, o.sampling);
}

void bind(CommandLine& line, BenchOptions& o) {
  line.words("part", o.parts, "see --list; default: all");
  line.text("--only", o.filter, "cases whose name contains this");
  line.flag("--list", o.list, "names of the parts and their cases");
  line.choice("--device", o.device, "cuda: of attention, ops, train", {{"cpu", Device::cpu}, {"cuda", Device::cuda}});
  line.path("--model", o.model, "the target that `speculation` and `training` measure");
}

void bind_device(CommandLine& line, Device& device, DType& dtype, const std::string& what) {
  line.choice("--device", device, what, {{"cpu", Device::cpu}, {"cuda", Device::cuda}});
  line.choice("--dtype", dtype, "of activations and weights on cuda", {{"bf16", DType::bf16}, {"f32", DType::f32}});
}

void bind(CommandLine& line, TrainCommand& o) {
  TrainOptions& t = o.train;
  line.path("--config", o.config, "a TOML file: every flag of this list is a key of it");
  line.flag("--plan", t.plan, "print the resolved run without starting it");
  line.path("--model", t.model, "the target: a Hugging Face directory");

  line.group("Data");
  line.path("--data", t.data, "conversations to train on, JSONL");
  line.path("--held-out", t.held_out, "conversations (or features) to evaluate on");
  line.path("--features", t.features, "captured features to train on, instead of conversations");
  line.path("--target-weights", t.target_weights, "with features: where lm_head and embeddings are");
  line.text("--lm-head-key", t.lm_head_key, "its tensor there");
  line.text("--embedding-key", t.embedding_key, "their tensor there");
  bind(line, t.chat);
  bind_bad_lines(line, t.bad_lines);
  line.whole("--max-tokens", t.max_tokens, "longer sequences are cut", kAboveZero);

  line.group("Draft");
  line.path("--draft-config", t.draft_config, "directory with a draft's config.json");
  line.list("--tap-ids", t.tap_ids, "output ids of the tapped layers", {.rising = true});
  line.whole("--draft-vocabulary", t.draft_vocabulary, "most tokens; 0: the config's, or 32,000");
  line.path("--init-draft", t.init_draft, "a draft to begin with");
  line.choice("--init", t.init, "head and last norm of a new draft", {"target", "random"});

  line.group("Loss");
  line.whole("--ttt-steps", t.ttt_steps, "depths K", {1, 17});
  line.real("--loss-decay", t.loss_decay, "w: depth k weighs w^k");
  line.choice("--normalize", t.normalize, "what n_k counts", {"step", "micro-batch"});
  line.text("--attention", t.attention, "backend");

  line.group("Device");
  bind_device(line, t.device, t.dtype, "of the steps");
  line.flag("--deterministic", t.deterministic, "on cuda: the same bits every time");

  line.group("Optimizer");
  line.real("--learning-rate", t.optimizer.learning_rate, "peak");
  line.real("--warmup-share", t.optimizer.warmup_share, "of all steps");
  line.real("--beta1", t.optimizer.beta1, "decay of the first moment");
  line.real("--beta2", t.optimizer.beta2, "decay of the second moment");
  line.real("--epsilon", t.optimizer.epsilon, "beside the root of the second moment");
  line.real("--weight-decay", t.optimizer.weight_decay, "decoupled, of every weight");
  line.real("--clip", t.optimizer.clip, "of the gradient's norm; 0: none");
  line.real("--spike-factor", t.optimizer.spike_factor, "norms beyond this many medians are dumped; 0: never");

  line.group("Run");
  line.whole("--epochs", t.epochs, "times through the data", kAboveZero);
  line.whole("--steps", t.steps, "optimizer steps; 0: as many as the epochs have");
  line.whole("--token-budget", t.token_budget, "tokens of one packed batch", kAboveZero);
  line.whole("--accumulate", t.accumulate, "packed batches of one step", kAboveZero);
  line.whole("--seed", t.seed, "of the order of the data and the new weights");
  line.path("--output", t.output, "run directory: checkpoints, metrics, dumps");
  line.flag("--resume", t.resume, "go on from the newest checkpoint of --output, with the flags recorded there");
  line.whole("--evaluate-every", t.evaluate_every, "steps; 0: at the end");
  line.whole("--generate-every", t.generate_every, "evaluations; 0: at the end");
  line.whole("--checkpoint-every", t.checkpoint_every, "steps; 0: at the end");
  line.whole("--keep", t.keep, "newest checkpoints kept beside the best");
  line.whole("--chain", t.chain, "drafts per verify of the accept length");
  line.path("--prompts", o.prompts, "prompts for the generated accept length");
  line.whole("--prompt-count", o.prompt_count, "how many of them");
  line.list("--dump-steps", t.dump_steps, "steps to dump, counted from 0");
}

void bind(CommandLine& line, ExportCommand& o) {
  line.required_path("--checkpoint", o.checkpoint, "a checkpoint of a run, or any draft directory");
  line.required_path("--output", o.output, "directory to write");
  line.choice("--for", o.reader, "whose conventions", {"sglang", "vllm"});
  line.choice("--dtype", o.dtype, "of the weights", {{"bf16", DType::bf16}, {"f32", DType::f32}});
}

void bind(CommandLine& line, ReplayCommand& o) {
  line.required_path("DUMP", o.replay.directory, "directory with batch.safetensors and draft/");
  line.list("--attention", o.replay.attention, "backends, each compared with the first; default: auto");
  bind_device(line, o.replay.device, o.replay.dtype, "of the step; cuda: beside the CPU's");
  line.choice("--normalize", o.replay.normalize, "default: as the dump says",
              {{"step", Normalize::step}, {"micro-batch", Normalize::micro_batch}});
  line.whole("--ttt-steps", o.ttt_steps, "depths; default: as the dump says", {1, 17});
  line.path("--model", o.replay.model, "the target, for its lm_head and embeddings");
  line.required_path(
      "--out", o.output,
      "safetensors file for loss and gradients: grad.midlayer.*, also of a draft that writes layers.0.*");
}

void bind(CommandLine& line, InspectCommand& o) {
  line.required_path("DIR", o.directory, "a model or a draft");
  line.path("--against", o.against, "the target that the draft should fit");
  line.path("--prompts", o.prompts, "JSONL: probe the acceptance under each reading of the draft");
  bind(line, o.chat);
  line.whole("--max-new-tokens", o.max_new_tokens, "per prompt of the probe", kAboveZero);
}

void bind(CommandLine& line, MaskCommand& o) {
  line.whole("--q", o.q, "query rows; default: what the lengths or documents take", kAboveZero);
  line.whole("--rounds", o.rounds, "the prefix and the suffixes behind it", kAboveZero);
  line.list("--lengths", o.lengths, "valid rows of each entry of a right-padded batch");
  line.list("--documents", o.documents, "lengths of sequences packed into one row", kAboveZero);
  line.text("--tile", o.tile, "query rows x keys of a tile");
  line.required_path("--out", o.output, "picture to write, .svg");
}

void bind(CommandLine& line, ReportCommand& o) {
  line.required_path("RUN", o.run, "directory of a run: finished, going on or broken off");
  line.path("--output", o.output, "page to write; default: report.html in RUN");
}

void bind(CommandLine& line, DemoCommand& o) {
  line.path("--target", o.target, "the bundled target");
  line.path("--output", o.output, "directory for the run, the draft and report.html");
  line.choice("--device", o.device, "of the training", {{"cpu", Device::cpu}, {"cuda", Device::cuda}});
}

// Flags that can do nothing beside the others of their command: to give one is an error, as whoever gives it believes
// that it acts.
struct IdleRule {
  bool idle;
  const char* why;
  std::vector<std::string> keys;
};

std::vector<IdleRule> idle_rules(const TrainCommand& command) {
  const TrainOptions& t = command.train;
  const bool features = !t.features.empty();
  return {
      {t.held_out.empty(),
       "has no effect without --held-out",
       {"evaluate-every", "generate-every", "chain", "prompts", "prompt-count"}},
      {t.evaluate_every == 0, "has no effect without --evaluate-every", {"generate-every"}},
      {!features, "has no effect without --features", {"target-weights", "lm-head-key", "embedding-key"}},
      {features,
       "has no effect on --features, which are tokens in batches already",
       {"token-budget", "max-tokens", "bad-lines", "chat-template", "template-arg", "template-date"}},
      {features,
       "has no effect with --features: there is no target to generate with",
       {"generate-every", "prompts", "prompt-count"}},
      {!t.init_draft.empty(), "has no effect on a draft to begin with (--init-draft)", {"init"}},
      {t.steps > 0, "has no effect beside --steps", {"epochs"}},
      {t.device == Device::cpu, "has no effect without --device cuda", {"dtype", "deterministic"}},
  };
}

std::vector<IdleRule> idle_rules(const GenerateCommand& command) {
  return {{command.draft.empty(), "has no effect without --draft", {"tap-ids", "chain"}},
          {command.raw, "has no effect with --raw", {"chat-template", "template-arg", "template-date"}},
          {command.sampling.temperature == 0, "has no effect at --temperature 0", {"top-k", "top-p", "min-p", "seed"}}};
}

std::vector<IdleRule> idle_rules(const ReplayCommand& command) {
  return {{command.replay.device == Device::cpu, "has no effect without --device cuda", {"dtype"}}};
}

std::vector<IdleRule> idle_rules(const InspectCommand& command) {
  return {{command.prompts.empty(),
           "has no effect without --prompts",
           {"max-new-tokens", "chat-template", "template-arg", "template-date"}}};
}

std::vector<IdleRule> idle_rules(const DataCommand& command) {
  return {{command.json, "has no effect with --json", {"show"}}};
}

void refuse_idle(const CommandLine& line, const std::vector<std::string>& given, const std::vector<IdleRule>& rules) {
  for (const auto& [idle, why, keys] : rules)
    for (const std::string& key : keys)
      if (idle && std::ranges::count(given, key) > 0) throw Error(ErrorKind::usage, line.place_of(key), why);
}

// What the words of the command line leave to others.
void complete(CommandLine& line, auto& options) {
  if constexpr (requires { idle_rules(options); }) refuse_idle(line, line.given(), idle_rules(options));
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
  refuse_idle(line, given, idle_rules(command));
  // The one instant that a run's template tells, also when it is resumed.
  if (command.train.features.empty() && command.train.chat.template_date.empty())
    line.set("template-date", date_text(std::time(nullptr)));
  command.train.flags = write_toml(line.entries({"config", "resume", "plan", "threads"}));
}

template <typename Options, void (*Run)(const Options&)>
void parse_and_run(const Command& command, int argc, char** argv) {
  Options options;
  CommandLine line(command.name, command.example);
  bind(line, options);
  int64_t threads = 0;
  line.group("Options");
  line.whole("--threads", threads, "default: OMP_NUM_THREADS, or one for each processor that may be used",
             {0, kMostThreads});
  if (!line.parse(argc, argv)) return;
  complete(line, options);
  set_thread_count(threads);
  line.with_places([&] { Run(options); });
}

// Each example works in Eyrie's own directory, behind those above it.
constexpr Command kCommands[] = {
    {"tokenize", "JSONL {\"text\"} on standard input to {\"ids\", \"text\"} lines",
     "echo '{\"text\": \"What is 12 + 30?\"}' | eyrie tokenize --model assets/fledgling",
     parse_and_run<TokenizeOptions, run_tokenize>},
    {"data", "say what training will see of conversations",
     "eyrie data assets/fledgling/conversations.jsonl --model assets/fledgling \\\n    --show 1",
     parse_and_run<DataCommand, run_data>},
    {"capture", "write a target's features for training without it",
     "head -n 20 assets/fledgling/conversations.jsonl >few.jsonl\n"
     "  eyrie capture --model assets/fledgling --input few.jsonl --output features",
     parse_and_run<CaptureOptions, run_capture>},
    {"train", "train a draft for a target",
     "eyrie train --model assets/fledgling --token-budget 256 --steps 20 \\\n"
     "    --data assets/fledgling/conversations.jsonl --dump-steps 0 --output run",
     parse_and_run<TrainCommand, run_train>},
    {"export", "write a checkpoint's draft for a reader",
     "eyrie export --checkpoint run/checkpoint-000020 --output draft --for sglang",
     parse_and_run<ExportCommand, run_export>},
    {"replay", "compute one dumped training step again",
     "eyrie replay run/dump-000000 --attention fused,dense \\\n    --out gradients.safetensors",
     parse_and_run<ReplayCommand, run_replay>},
    {"generate", "answer prompts, with a draft or without",
     "eyrie generate --model assets/fledgling --draft draft \\\n    --prompt \"What is 12 + 30?\"",
     parse_and_run<GenerateCommand, run_generate>},
    {"inspect", "say what a model or draft is, and whether they fit", "eyrie inspect draft --against assets/fledgling",
     parse_and_run<InspectCommand, run_inspect>},
    {"mask", "draw the block mask of an attention shape and say what it costs",
     "eyrie mask --documents 300,200,500 --rounds 3 --out mask.svg", parse_and_run<MaskCommand, run_mask>},
    {"report", "write the page of a run: curves, settings, sample answers", "eyrie report run",
     parse_and_run<ReportCommand, run_report>},
    {"demo", "train a draft for the bundled target and show what it gains", "eyrie demo --output demo",
     parse_and_run<DemoCommand, run_demo>},
    {"bench", "time the parts beside the limits of this machine", "eyrie bench attention --only fused/d64",
     parse_and_run<BenchOptions, run_bench>},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace eyrie
