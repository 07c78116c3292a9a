#include "text/chat_template.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "base/named.h"
#include "base/nearest_word.h"
#include "base/random.h"
#include "io/atomic_dir.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDateForm = "%Y-%m-%d %H:%M:%S";

// Where a text was found, and the one beside it for conversations with tools.
struct Found {
  std::string source, text;
  std::optional<std::string> tool_text;
};

// A config file beside the template; nothing when there is none.
std::optional<Json> read_config(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  Json config = Json::parse_file(path.string());
  if (!config.is_object())
    throw Error(ErrorKind::file, path.string(), "expected an object, found " + config.dump().substr(0, 40));
  return config;
}

// "chat_template": a text, or a list of {"name", "template"} of which `default` and `tool_use` are taken.
std::optional<Found> in_json(const fs::path& path) {
  const auto config = read_config(path);
  const Json* value = config ? config->find("chat_template") : nullptr;
  if (!value) return std::nullopt;
  if (value->is_text()) return Found{path.string(), value->as_text(), {}};
  std::optional<std::string> text, tool_text;
  for (const Json& entry : config->array("chat_template")) {
    if (entry.text("name") == "default") text = entry.text("template");
    if (entry.text("name") == "tool_use") tool_text = entry.text("template");
  }
  if (!text) throw Error(ErrorKind::file, path.string(), "chat_template: expected one named \"default\" among them");
  return Found{path.string(), *text, tool_text};
}

std::optional<Found> in_directory(const fs::path& directory) {
  const fs::path jinja = directory / "chat_template.jinja";
  const fs::path tools = directory / "additional_chat_templates" / "tool_use.jinja";
  if (fs::exists(fs::symlink_status(jinja)) && !fs::is_regular_file(jinja))
    throw Error(ErrorKind::file, jinja.string(), "is no file");
  if (fs::exists(jinja))
    return Found{jinja.string(), read_file(jinja), fs::exists(tools) ? std::optional(read_file(tools)) : std::nullopt};
  if (auto found = in_json(directory / "chat_template.json")) return found;
  return in_json(directory / "tokenizer_config.json");
}

Found named(const std::string& name) {
  if (const BuiltInTemplate* built_in = find_named(built_in_templates(), name))
    return {"built in: " + name, std::string(built_in->text), {}};
  if (fs::is_regular_file(name)) return {name, read_file(name), {}};
  std::vector<std::string> known;
  for (const BuiltInTemplate& one : built_in_templates()) known.emplace_back(one.name);
  throw Error(ErrorKind::usage, "chat-template",
              fmt::format("\"{}\": expected a file or one of {}{}", name, names_of(built_in_templates()),
                          suggestion(name, known)));
}

// bos_token and its kin: texts, or added tokens written out. The older file says what the newer one leaves open.
Json read_special_tokens(const fs::path& directory) {
  Json tokens = Json::object({});
  for (const char* file : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const auto config = read_config(directory / file);
    if (!config) continue;
    for (const char* key :
         {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
      const Json* value = config->find(key);
      if (!value) continue;
      tokens.set(key, value->is_object() ? value->text("content") : config->text(key));
    }
  }
  return tokens;
}

Json read_arguments(const std::vector<std::string>& words) {
  Json arguments = Json::object({});
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == 0 || equals == word.npos)
      throw Error(ErrorKind::usage, "template-arg", fmt::format("expected KEY=VALUE, found \"{}\"", word));
    if (ChatTemplate::is_reserved(word.substr(0, equals)))
      throw Error(ErrorKind::usage, "template-arg", fmt::format("{} is not to be set", word.substr(0, equals)));
    const std::string value = word.substr(equals + 1);
    try {  // Python's spellings are taken, too
      const std::string json = value == "True" ? "true" : value == "False" ? "false" : value == "None" ? "null" : value;
      arguments.set(word.substr(0, equals), Json::parse(json, "template-arg"));
    } catch (const Error&) {
      arguments.set(word.substr(0, equals), value);
    }
  }
  return arguments;
}

std::string written(const std::tm& date) {
  char text[32];
  return {text, std::strftime(text, sizeof text, kDateForm, &date)};
}

std::tm read_date(const std::string& text) {
  std::tm date = {};
  for (const char* form : {kDateForm, "%Y-%m-%d"}) {
    date = {};
    const char* end = strptime(text.c_str(), form, &date);
    const std::tm said = date;
    if (end && *end == 0 && std::mktime(&date) != -1 && date.tm_mday == said.tm_mday) return date;
  }
  throw Error(ErrorKind::usage, "template-date",
              fmt::format("expected YYYY-MM-DD or YYYY-MM-DD HH:MM:SS, found \"{}\"", text));
}

// The arguments of tool calls as JSON text, spelled as Python does. False: there are none.
bool write_arguments_out(Json::Array& messages) {
  static const JinjaTemplate kText = JinjaTemplate::parse("{{ arguments | tojson }}", "arguments");
  bool any = false;
  for (Json& message : messages) {
    if (!message.find("tool_calls")) continue;
    Json::Array calls = message.array("tool_calls");
    for (Json& call : calls) {
      Json function = call.find("function") ? call.at("function") : call;
      if (!function.find("arguments") || !function.at("arguments").is_object()) continue;
      const Json arguments = Json::object({{"arguments", function.at("arguments")}});
      function.set("arguments", kText.render(arguments, {}).text);
      call = call.find("function") ? Json(call).set("function", function) : function;
      any = true;
    }
    message.set("tool_calls", std::move(calls));
  }
  return any;
}

}  // namespace

std::string date_text(std::time_t instant) {
  std::tm date = {};
  return written(*localtime_r(&instant, &date));
}

std::optional<ChatTemplate> ChatTemplate::of_model(const std::string& directory, const ChatOptions& options) {
  const auto found = options.chat_template.empty() ? in_directory(directory) : named(options.chat_template);
  if (!found) return std::nullopt;
  ChatTemplate made(JinjaTemplate::parse(found->text, found->source));
  if (found->tool_text) made.tool_text_ = JinjaTemplate::parse(*found->tool_text, found->source + " (tool_use)");
  made.source_ = found->source;
  made.hash_ = fmt::format("{:016x}", hash_name(found->text + found->tool_text.value_or("")));
  made.special_tokens_ = read_special_tokens(directory);
  made.arguments_ = read_arguments(options.template_args);
  for (const auto& [key, value] : made.arguments_.as_members())
    if (!made.mentions(key)) log_warning(fmt::format("template-arg: {} never asks for {}", made.source_, key));
  made.now_ = read_date(options.template_date.empty() ? date_text(std::time(nullptr)) : options.template_date);
  made.content_of_calls_ = made.find_content_of_calls();
  return made;
}

// Null, as servers hand it on, where the template writes the call then; some would fail, or write None: an empty text.
Json ChatTemplate::find_content_of_calls() const {
  const Json function = Json::object({{"name", "zebu"}, {"arguments", Json::object({})}});
  const Json call = Json::object({{"id", "call12345"}, {"type", "function"}, {"function", function}});
  Conversation probe = user_turn("amok");
  probe.messages.push_back(
      Json::object({{"role", "assistant"}, {"content", Json()}, {"tool_calls", Json::Array{call}}}));
  try {
    const std::string text = render(probe, probe.messages, false, std::nullopt).text;
    if (text.find("zebu") != text.npos && text.find("None") == text.npos) return {};
  } catch (const Error&) {
  }
  return "";
}

JinjaOutput ChatTemplate::render(const Conversation& conversation, const Json::Array& messages, bool generation_prompt,
                                 std::optional<bool> thinking) const {
  Json variables = special_tokens_;
  // Templates call the reasoning of a message by one of three names.
  Json::Array named = messages;
  for (Json& message : named) {
    for (const char* name : {"reasoning", "thinking"})
      if (message.find("reasoning_content") && mentions(name)) message.set(name, std::string(reasoning_of(message)));
    if (message.find("tool_calls") && content_of(message).empty()) message.set("content", content_of_calls_);
  }
  variables.set("tools", conversation.tools);
  variables.set("documents", conversation.documents);
  variables.set("add_generation_prompt", generation_prompt);
  for (const char* name : {"enable_thinking", "thinking"})
    if (thinking && mentions(name)) variables.set(name, *thinking);
  for (const Json* arguments : {&arguments_, &conversation.arguments})
    for (const auto& [key, value] : arguments->as_members())
      if (!is_reserved(key)) variables.set(key, value);
  const JinjaTemplate& text = tool_text_ && !conversation.tools.is_null() ? *tool_text_ : text_;
  for (;;) {
    try {
      return text.render(variables.set("messages", named), now_);
    } catch (const Error&) {
      // Some templates join the arguments of calls to their text as they come from a server: as JSON text.
      if (!write_arguments_out(named)) throw;
    }
  }
}

bool ChatTemplate::is_reserved(std::string_view variable) {
  return variable == "messages" || variable == "tools" || variable == "documents" ||
         variable == "add_generation_prompt";
}

bool ChatTemplate::mentions(std::string_view name) const {
  return text_.mentions(name) || (tool_text_ && tool_text_->mentions(name));
}

std::string_view ChatTemplate::special_token(std::string_view name) const {
  const Json* token = special_tokens_.find(name);
  return token ? std::string_view(token->as_text()) : std::string_view();
}

std::string ChatTemplate::date() const { return mentions("strftime_now") ? written(now_) : ""; }

}  // namespace eyrie
