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
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace eyrie
