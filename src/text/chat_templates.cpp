// The table of chat templates, and which of them a model directory asks for.
#include <fmt/core.h>

#include <filesystem>

#include "base/error.h"
#include "base/named.h"
#include "io/atomic_dir.h"
#include "io/json.h"
#include "text/chat_template.h"

namespace eyrie {
namespace {

constexpr RoleFormat llama3_turn(std::string_view prefix) { return {prefix, "<|eot_id|>", true}; }
constexpr RoleFormat im_turn(std::string_view prefix) { return {prefix, "<|im_end|>\n"}; }
constexpr RoleFormat fledgling_turn(std::string_view prefix) { return {prefix, "<|end|>\n"}; }

constexpr std::string_view kLlama3Assistant = "<|start_header_id|>assistant<|end_header_id|>\n\n";
constexpr std::string_view kImAssistant = "<|im_start|>assistant\n";

constexpr ChatTemplate kLlama3 = {.name = "llama3",
                                  .bos = "<|begin_of_text|>",
                                  .system = llama3_turn("<|start_header_id|>system<|end_header_id|>\n\n"),
                                  .user = llama3_turn("<|start_header_id|>user<|end_header_id|>\n\n"),
                                  .assistant = llama3_turn(kLlama3Assistant),
                                  .generation_prompt = kLlama3Assistant,
                                  .stop_token = "<|eot_id|>"};

// From 3.1 on there is always a system turn, and it opens with two dates.
constexpr ChatTemplate llama31() {
  ChatTemplate dated = kLlama3;
  dated.name = "llama3.1";
  dated.system.prefix =
      "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul "
      "2024\n\n";
  dated.system_default = "";
  return dated;
}

constexpr ChatTemplate kChatml = {.name = "chatml",
                                  .bos = "",
                                  .system = im_turn("<|im_start|>system\n"),
                                  .user = im_turn("<|im_start|>user\n"),
                                  .assistant = im_turn(kImAssistant),
                                  .generation_prompt = kImAssistant,
                                  .stop_token = "<|im_end|>"};

constexpr ChatTemplate qwen25() {
  ChatTemplate polite = kChatml;
  polite.name = "qwen2.5";
  polite.system_default = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
  return polite;
}

constexpr ChatTemplate qwen3(std::string_view name, std::string_view generation_prompt) {
  ChatTemplate thinking = kChatml;
  thinking.name = name;
  thinking.generation_prompt = generation_prompt;
  thinking.reasoning = Reasoning::qwen3;
  return thinking;
}

constexpr ChatTemplate mistral(std::string_view name, std::string_view user_prefix, RoleFormat assistant) {
  return {.name = name,
          .bos = "<s>",
          .system = {"", "\n\n"},
          .user = {user_prefix, "[/INST]"},
          .assistant = assistant,
          .generation_prompt = "",
          .stop_token = "</s>",
          .system_place = SystemPlace::last_user};
}

constexpr ChatTemplate kFledgling = {.name = "fledgling",
                                     .bos = "<|bos|>",
                                     .system = fledgling_turn("<|system|>\n"),
                                     .user = fledgling_turn("<|user|>\n"),
                                     .assistant = fledgling_turn("<|assistant|>\n"),
                                     .generation_prompt = "<|assistant|>\n",
                                     .stop_token = "<|end|>"};

constexpr ChatTemplate kTemplates[] = {
    kLlama3,
    llama31(),
    kChatml,
    qwen25(),
    qwen3("qwen3", kImAssistant),
    qwen3("qwen3-no-thinking", "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
    mistral("mistral", "[INST]", {"", "</s>"}),
    mistral("mistral-v0.3", "[INST] ", {" ", "</s>", true}),
    kFledgling,
};

// The text of the directory's own (Jinja) template; empty when it has none.
std::string template_text(const std::filesystem::path& directory) {
  if (std::filesystem::exists(directory / "chat_template.jinja")) return read_file(directory / "chat_template.jinja");
  if (!std::filesystem::exists(directory / "tokenizer_config.json")) return "";
  const Json config = Json::parse_file((directory / "tokenizer_config.json").string());
  const Json* found = config.find("chat_template");
  return !found ? "" : found->is_text() ? found->as_text() : found->dump();
}

// One clue: added tokens that must all be there, and words in the template's text. The first that fits decides; rules
// with words come before their family's last one, which takes what is left.
struct Clue {
  std::string_view name;
  std::string_view token, other_token;
  std::string_view words;  // empty: none needed
};

constexpr Clue kClues[] = {
    {"llama3.1", "<|start_header_id|>", "<|eot_id|>", "Cutting Knowledge Date"},
    {"llama3", "<|start_header_id|>", "<|eot_id|>", ""},
    {"qwen3", "<|im_start|>", "<think>", "enable_thinking"},
    {"qwen2.5", "<|im_start|>", "<|im_end|>", "You are Qwen"},
    {"chatml", "<|im_start|>", "<|im_end|>", ""},
    {"mistral-v0.3", "[INST]", "</s>", "[INST] "},
    {"mistral", "[INST]", "</s>", "[INST]"},
    {"fledgling", "<|bos|>", "<|assistant|>", ""},
};

bool fits(const Clue& clue, const Tokenizer& tokenizer, std::string_view words) {
  for (const std::string_view token : {clue.token, clue.other_token}) {
    const auto id = tokenizer.token_id(token);
    if (!id || !tokenizer.is_added(*id)) return false;
  }
  return words.find(clue.words) != words.npos;
}

}  // namespace

std::span<const ChatTemplate> chat_templates() { return kTemplates; }

const ChatTemplate& find_chat_template(std::string_view name) {
  if (const ChatTemplate* found = find_named(kTemplates, name)) return *found;
  throw Error(ErrorKind::usage, "",
              fmt::format("chat template \"{}\": expected one of {}", name, names_of(kTemplates)));
}

GuessedTemplate guess_chat_template(const Tokenizer& tokenizer, const std::string& model_directory) {
  const std::string words = template_text(model_directory);
  for (const Clue& clue : kClues) {
    if (!fits(clue, tokenizer, words)) continue;
    const std::string written = clue.words.empty() ? "" : fmt::format(", its template says \"{}\"", clue.words);
    return {&find_chat_template(clue.name),
            fmt::format("the tokenizer has {} and {}{}", clue.token, clue.other_token, written)};
  }
  throw Error(ErrorKind::file, model_directory,
              fmt::format("no chat template that Eyrie knows fits; name one of {}", names_of(kTemplates)));
}

}  // namespace eyrie
