#include "app/flags.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "app/commands.h"
#include "base/error.h"

namespace eyrie {
namespace {

void bind(CLI::App& app, TokenizeOptions& o) {
  app.add_option("--model", o.model, "directory with tokenizer.json")->required();
}

void bind(CLI::App& app, CaptureOptions& o) {
  app.add_option("--model", o.model, "the target: a Hugging Face directory")->required();
  app.add_option("--input", o.input, "conversations, JSONL")->required();
  app.add_option("--output", o.output, "directory for the feature files")->required();
  app.add_option("--dtype", o.dtype, "of the features")->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("--chat-template", o.chat_template, "name; default: guessed from the model");
  app.add_option("--tap-ids", o.tap_ids, "output ids of the tapped layers")->delimiter(',');
  app.add_option("--max-tokens", o.max_tokens, "longer sequences are cut")->check(CLI::PositiveNumber);
  app.add_option("--token-budget", o.token_budget, "tokens of one packed batch")->check(CLI::PositiveNumber);
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
  app.add_option("--chat-template", o.chat_template, "name; default: guessed from the model");
  app.add_flag("--raw", o.raw, "the prompt is plain text: no chat template");
  app.add_option("--tap-ids", o.tap_ids, "output ids of the tapped layers, instead of the draft's")->delimiter(',');
  app.add_option("--max-new-tokens", o.max_new_tokens, "")->check(CLI::PositiveNumber);
  app.add_option("--chain", o.chain, "drafts per verify")->check(CLI::Range(0, 15));
  app.add_option("--stop", o.stop_strings, "a string that ends the text; may be repeated");
  app.add_option("--stop-id", o.stop_ids, "a token that ends the text, besides the model's own; may be repeated");
  app.add_flag("--ignore-stop", o.ignore_stop, "the model's own stop tokens do not end the text");
  bind(app, o.sampling);
}

void bind(CLI::App& app, BenchOptions& o) {
  app.add_option("part", o.parts, "machine, attention, linear, decode, speculation, train; default: all");
  app.add_option("--only", o.filter, "cases whose name contains this");
  app.add_flag("--list", o.list, "names of the parts and their cases");
  app.add_option("--model", o.model, "the target that `speculation` and `train` measure");
}

template <typename Options, void (*Run)(const Options&)>
void parse_and_run(int argc, char** argv) {
  const std::string name = std::string("eyrie ") + argv[0];
  Options options;
  CLI::App app("", name);
  app.option_defaults()->always_capture_default();
  app.get_formatter()->column_width(30);
  bind(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return;
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::usage, name, error.what());
  }
  Run(options);
}

constexpr Command kCommands[] = {
    {"tokenize", "JSONL {\"text\"} on standard input to {\"ids\", \"text\"} lines",
     parse_and_run<TokenizeOptions, run_tokenize>},
    {"capture", "write a target's features for training without it", parse_and_run<CaptureOptions, run_capture>},
    {"generate", "answer prompts, with a draft or without", parse_and_run<GenerateCommand, run_generate>},
    {"bench", "time the parts beside the limits of this machine", parse_and_run<BenchOptions, run_bench>},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace eyrie
