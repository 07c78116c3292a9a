#include "speculative/generate.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "app/commands.h"
#include "app/interrupt.h"
#include "app/output.h"
#include "app/serving.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/log.h"
#include "io/atomic_dir.h"

namespace eyrie {
namespace {

GenerateOptions options_for(const GenerateCommand& command, const ServedModels& models) {
  GenerateOptions options;
  options.max_new_tokens = command.max_new_tokens;
  options.chain = models.draft ? command.chain : 0;
  options.sampling = command.sampling;
  options.stop_strings = command.stop_strings;
  options.stop_ids = command.stop_ids;
  if (!command.ignore_stop) {
    const auto& own = models.target.config.stop_ids;
    options.stop_ids.insert(options.stop_ids.end(), own.begin(), own.end());
  }
  return options;
}

std::string describe(const GenerateResult& result) {
  const double seconds = result.seconds.after_prefill();
  std::string text = counted(std::ssize(result.ids), "token");
  if (seconds > 0) text += fmt::format(", {:.1f} tokens/s", static_cast<double>(result.ids.size() - 1) / seconds);
  if (result.accepted.steps_by_tokens.size() > 2)
    text += fmt::format(", accept length {:.2f}", result.accepted.accept_length());
  return text + fmt::format(", ended by {}", name(result.finish));
}

void stop_if_asked(std::string_view) {
  if (stop_requested()) throw Error(ErrorKind::interrupted, "generate", "interrupted");
}

void write_to_terminal(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0)
    throw Error(ErrorKind::file, "standard output", std::strerror(errno));
  stop_if_asked(bytes);
}

void answer_one(Generator& generator, const ServedModels& models, const Prompt& prompt, GenerateOptions options) {
  if (models.reader.tokenizer) options.text = text_stream(*models.reader.tokenizer, write_to_terminal);
  const GenerateResult result = generator.generate(prompt.ids, options);
  if (!models.reader.tokenizer)
    for (const int32_t id : result.ids) fmt::print("{} ", id);
  write_to_terminal("\n");
  log_info(describe(result));
}

void set_answer(Json& line, const GenerateResult& result) {
  line.set("text", result.text);
  line.set("ids", Json::Array(result.ids.begin(), result.ids.end()));
  line.set("finish_reason", std::string(name(result.finish)));
  line.set("accept_length", result.accepted.accept_length());
}

// One answer, or what keeps this prompt from one: the others do not suffer. A fault of the options is every prompt's.
Json line_of(Generator& generator, const Prompt& prompt, const GenerateOptions& options) {
  Json line = Json::object();
  if (!prompt.id.empty()) line.set("id", prompt.id);
  if (!prompt.error.empty()) return line.set("error", prompt.error);
  try {
    at_place(prompt.place, [&] { set_answer(line, generator.generate(prompt.ids, options)); });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::file) throw;
    line.set("error", error.what());
  }
  return line;
}

// One JSON line per prompt, on standard output or into a file that appears whole.
void answer_file(Generator& generator, const ServedModels& models, const GenerateCommand& command,
                 const GenerateOptions& options) {
  std::string lines;
  int64_t failed = 0;
  const std::vector<Prompt> prompts = read_all_prompts(command.input, models.reader);
  for (const Prompt& prompt : prompts) {
    GenerateOptions one = options;
    if (models.reader.tokenizer) one.text = text_stream(*models.reader.tokenizer, stop_if_asked);
    const Json answer = line_of(generator, prompt, one);
    failed += answer.find("error") ? 1 : 0;
    const std::string line = answer.dump() + "\n";
    if (command.output.empty())
      write_to_terminal(line);
    else
      lines += line;
  }
  if (!command.output.empty()) write_file_atomically(command.output, lines);
  if (failed > 0)
    throw Error(ErrorKind::input, command.input,
                fmt::format("{} of {} could not be answered: their lines hold \"error\"", failed,
                            counted(std::ssize(prompts), "prompt")));
}

void expect_ids(const char* flag, const std::vector<int32_t>& ids, int64_t vocabulary) {
  for (const int32_t id : ids)
    if (id >= vocabulary)
      throw Error(ErrorKind::usage, flag, fmt::format("expected ids below {}, found {}", vocabulary, id));
}

}  // namespace

void run_generate(const GenerateCommand& command) {
  if (command.prompt && command.prompt->empty()) throw Error(ErrorKind::usage, "prompt", "expected text, found \"\"");
  if (command.prompt.has_value() != command.input.empty())
    throw Error(ErrorKind::usage, "generate", "expected one of --prompt and --input");
  if (!command.output.empty() && command.input.empty())
    throw Error(ErrorKind::usage, "generate", "--output takes the lines of --input; an answer to --prompt is printed");
  if (!command.output.empty()) {
    expect_not_an_input(command.output, {command.input, command.model, command.draft});
    expect_writable(command.output);
  }
  stop_requested();
  ServedModels models = load_served_models(command.model, command.draft, command.chat, command.tap_ids);
  models.reader.raw_prompts = command.raw;
  if (!command.raw) log_template(models.reader);
  expect_ids("stop-id", command.stop_ids, models.target.config.vocabulary);
  Exec exec;
  Generator generator(exec, models.target, models.draft ? &*models.draft : nullptr);
  const GenerateOptions options = options_for(command, models);
  if (command.input.empty())
    answer_one(generator, models, make_prompt(models.reader, *command.prompt), options);
  else
    answer_file(generator, models, command, options);
}

}  // namespace eyrie
