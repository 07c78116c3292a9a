// The one file that sees CLI11.
#include "app/command_line.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/nearest_word.h"

namespace eyrie {
namespace {

using Kind = TomlEntry::Kind;

constexpr const char *kPath = "PATH", *kInteger = "INT", *kNumber = "FLOAT";  // types of flags

class HelpFormatter : public CLI::Formatter {
  // "FLOAT", "a|b" for a choice; CLI11 writes "TEXT:{a,b}".
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

// The most that a number may be is told where there is such a limit, and to whoever is above any.
std::string expected(const Whole& range, bool above) {
  if (above || range.most < Whole().most) return fmt::format("a number from {} to {}", range.least, range.most);
  return range.least == 1 ? "a number above 0" : fmt::format("a number of at least {}", range.least);
}

bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }
bool is_list(const CLI::Option& option) { return option.get_items_expected_max() > 1; }

Kind kind_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return is_flag(option)    ? Kind::boolean
         : type == kInteger ? Kind::integer
         : type == kNumber  ? Kind::number
                            : Kind::text;
}

void expect_type(const CLI::Option& option, const TomlEntry& entry, const std::string& place) {
  const Kind wanted = kind_of(option);
  const bool fits = wanted == entry.kind || (wanted == Kind::number && entry.kind == Kind::integer) ||
                    (entry.list && entry.words.empty());
  if (fits && entry.list == is_list(option)) return;
  throw Error(ErrorKind::usage, place,
              fmt::format("expected {}{}, found {}{}", is_list(option) ? "an array, each " : "", name(wanted),
                          entry.list ? "an array, each " : "", name(entry.kind)));
}

// An error of CLI11's without the flag in front, which has another place.
std::string without_flag(const std::string& message, const std::string& key) {
  const std::string flag = "--" + key + ": ";
  return message.starts_with(flag) ? message.substr(flag.size()) : message;
}

// A decimal number, nothing else; CLI::ValidationError names the flag, what is expected and what was found.
int64_t whole_number(const std::string& flag, const std::string& word, const Whole& range) {
  const size_t digits = word.starts_with('-') ? 1 : 0;
  const bool padded = word.size() > digits + 1 && word[digits] == '0';  // octal to some
  int64_t value = 0;
  const char* const end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, value);
  if (word.empty() || rest != end || padded || error == std::errc::invalid_argument)
    throw CLI::ValidationError(flag, fmt::format("expected a whole number, found \"{}\"", word));
  const bool above = error == std::errc() ? value > range.most : digits == 0;
  if (above || error != std::errc() || value < range.least)
    throw CLI::ValidationError(flag, fmt::format("expected {}, found {}", expected(range, above), word));
  return value;
}

// The same, with a fraction or an exponent.
double real_number(const std::string& flag, const std::string& word, const Real& range) {
  double value = 0;
  const char* const end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, value);
  if (rest != end || error == std::errc::invalid_argument)
    throw CLI::ValidationError(flag, fmt::format("expected a number, found \"{}\"", word));
  if (error == std::errc() && value >= range.least && value <= range.most) return value;
  const bool bounded = range.most < Real().most;
  const std::string wanted =
      bounded ? fmt::format("a number from {} to {}", range.least, range.most) : "a finite number that a double holds";
  throw CLI::ValidationError(flag, fmt::format("expected {}, found {}", wanted, word));
}

// The words "1,2" and "3" are the items 1, 2, 3; an empty item is an error.
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

template <typename T>
std::vector<T> whole_numbers(const std::string& flag, const std::vector<std::string>& words, const Whole& range) {
  const std::vector<std::string> items = items_of(flag, words);
  std::vector<T> values;
  for (const std::string& item : items) values.push_back(static_cast<T>(whole_number(flag, item, range)));
  if (range.rising && std::ranges::adjacent_find(values, std::greater_equal()) != values.end())
    throw CLI::ValidationError(flag, fmt::format("expected ids that rise, found {}", fmt::join(items, ",")));
  return values;
}

}  // namespace

CommandLine::CommandLine(const std::string& command, const std::string& example)
    : command_(command), app_(std::make_unique<CLI::App>("", "eyrie " + command)) {
  app_->option_defaults()->always_capture_default();
  app_->formatter(std::make_shared<HelpFormatter>());
  app_->footer("Words (tap, depth, walked, n_k, accept length): docs/training.md\n\nExample:\n  " + example);
  app_->allow_extras();
}

CommandLine::~CommandLine() = default;

CLI::Option& CommandLine::add(const std::string& name, const std::string& help, const std::string& type,
                              const std::function<void(const Words&)>& read, const std::string& standard) {
  const CLI::callback_t take = [read](const Words& words) { return read(words), true; };
  return *app_->add_option(name, take, help, true, [standard] { return standard; })->type_name(type);
}

void CommandLine::add_many(const std::string& name, const std::string& help, const std::string& type,
                           const std::function<void(const Words&)>& read) {
  const bool of_words = !name.starts_with('-');
  add(name, help, type, read).expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(of_words);
}

void CommandLine::group(const std::string& heading) { app_->option_defaults()->group(heading); }

void CommandLine::flag(const std::string& name, bool& on, const std::string& help) { app_->add_flag(name, on, help); }

void CommandLine::text(const std::string& name, std::string& value, const std::string& help) {
  add(
      name, help, "TEXT", [&value](const Words& words) { value = words.back(); }, value);
}

void CommandLine::text(const std::string& name, std::optional<std::string>& value, const std::string& help) {
  add(name, help, "TEXT", [&value](const Words& words) { value = words.back(); });
}

void CommandLine::path(const std::string& name, std::string& value, const std::string& help) {
  const auto problem = [](const std::string& word) {
    return word.empty() ? std::string("expected a path, found \"\"") : std::string();
  };
  add(
      name, help, kPath, [&value](const Words& words) { value = words.back(); }, value)
      .check(CLI::Validator(problem, ""));
}

void CommandLine::required_path(const std::string& name, std::string& value, const std::string& help) {
  path(name, value, help);
  app_->get_option(name)->required();
}

void CommandLine::whole(const std::string& name, int64_t& value, const std::string& help, const Whole& range) {
  const auto read = [&value, name, range](const Words& words) { value = whole_number(name, words.back(), range); };
  add(name, help, kInteger, read, std::to_string(value));
}

void CommandLine::whole(const std::string& name, uint64_t& value, const std::string& help) {
  const auto read = [&value, name](const Words& words) {
    value = static_cast<uint64_t>(whole_number(name, words.back(), {}));
  };
  add(name, help, kInteger, read, std::to_string(value));
}

void CommandLine::real(const std::string& name, double& value, const std::string& help, const Real& range) {
  const auto read = [&value, name, range](const Words& words) { value = real_number(name, words.back(), range); };
  add(name, help, kNumber, read, fmt::format("{}", value));
}

void CommandLine::add_choice(const std::string& name, const std::string& help, const Words& known,
                             const std::string& standard, const std::function<void(const std::string&)>& read) {
  add(
      name, help, "TEXT", [read](const Words& words) { read(words.back()); }, standard)
      .check(CLI::IsMember(known));
}

void CommandLine::choice(const std::string& name, std::string& value, const std::string& help, const Words& choices) {
  add_choice(name, help, choices, value, [&value](const std::string& word) { value = word; });
}

void CommandLine::words(const std::string& name, Words& values, const std::string& help, const std::string& type) {
  add_many(name, help, type, [&values](const Words& words) { values = words; });
}

void CommandLine::list(const std::string& name, std::vector<int64_t>& values, const std::string& help,
                       const Whole& range) {
  add_many(name, help, kInteger,
           [=, &values](const Words& words) { values = whole_numbers<int64_t>(name, words, range); });
}

void CommandLine::list(const std::string& name, std::vector<int32_t>& values, const std::string& help,
                       const Whole& range) {
  add_many(name, help, kInteger,
           [=, &values](const Words& words) { values = whole_numbers<int32_t>(name, words, range); });
}

void CommandLine::list(const std::string& name, Words& values, const std::string& help) {
  add_many(name, help, "TEXT", [=, &values](const Words& words) { values = items_of(name, words); });
}

// The first word of the command line that this command does not know.
void CommandLine::refuse_unknown_words() const {
  if (app_->remaining_size() == 0) return;
  const std::string word = app_->remaining()[0], flag = word.substr(0, word.find('='));
  if (!flag.starts_with('-')) throw Error(ErrorKind::usage, command_, "\"" + word + "\" is one argument too many");
  throw Error(ErrorKind::usage, command_, "there is no option " + flag + suggestion(flag, names_of(*app_, "--")));
}

bool CommandLine::parse(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app_->help();
    return false;
  } catch (const CLI::ParseError& error) {
    refuse_unknown_words();
    throw Error(ErrorKind::usage, command_, error.what());
  }
  refuse_unknown_words();
  return true;
}

void CommandLine::take(const TomlEntry& entry, const std::string& place) {
  CLI::Option* const option = app_->get_option_no_throw("--" + entry.key);
  if (!option || entry.key == "config" || entry.key == "help")
    throw Error(ErrorKind::usage, place,
                "there is no key \"" + entry.key + "\"" + suggestion(entry.key, names_of(*app_, "")));
  expect_type(*option, entry, place + ": " + entry.key);
  if (option->count() > 0 || entry.words.empty()) return;
  try {
    for (const std::string& word : entry.words) option->add_result(word);
    option->run_callback();
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::usage, place + ": " + entry.key, without_flag(error.what(), entry.key));
  }
  origins_[entry.key] = place;
}

void CommandLine::take_file(const std::string& path) {
  for (const TomlEntry& entry : read_toml(path)) take(entry, fmt::format("{}:{}", path, entry.line));
}

std::vector<std::string> CommandLine::given() const {
  std::vector<std::string> keys;
  for (const CLI::Option* option : app_->get_options([](const CLI::Option* one) { return one->count() > 0; })) {
    const std::string key = option->get_single_name();
    if (!origins_.contains(key) || option->results()[0] != option->get_default_str()) keys.push_back(key);
  }
  return keys;
}

void CommandLine::set(const std::string& key, const std::string& word) {
  CLI::Option* const option = app_->get_option("--" + key);
  option->clear();
  option->add_result(word);
  option->run_callback();
}

bool CommandLine::given(const std::string& key) const { return app_->get_option("--" + key)->count() > 0; }

std::string CommandLine::place_of(const std::string& key) const {
  const auto origin = origins_.find(key);
  return origin == origins_.end() ? command_ + ": --" + key : origin->second + ": " + key;
}

void CommandLine::with_places(const std::function<void()>& work) const {
  try {
    work();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage || !app_->get_option_no_throw("--" + error.place())) throw;
    throw Error(ErrorKind::usage, place_of(error.place()), std::string(error.what()).substr(error.place().size() + 2));
  }
}

std::vector<TomlEntry> CommandLine::entries(const std::vector<std::string>& left_out) const {
  std::vector<TomlEntry> entries;
  for (const CLI::Option* option : app_->get_options({})) {
    const std::string key = option->get_single_name(), standard = option->get_default_str();
    if (std::ranges::count(left_out, key) > 0 || key == "help") continue;
    TomlEntry entry{.key = key, .kind = kind_of(*option), .list = is_list(*option), .words = option->results()};
    if (entry.words.empty() && !is_list(*option) && !standard.empty()) entry.words = {standard};
    if (entry.words.empty()) continue;
    if (entry.kind != Kind::text && entry.list) entry.words = items_of(key, entry.words);
    const bool names_file = key == "chat-template" && std::filesystem::is_regular_file(entry.words[0]);
    if (names_file || option->get_type_name() == kPath)
      entry.words[0] = std::filesystem::absolute(entry.words[0]).lexically_normal().string();
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string help_entry(std::string_view name, std::string_view description, size_t indent, size_t width) {
  std::string text = fmt::format("{:<{}}", name, indent);
  const std::string next_line = "\n" + std::string(indent, ' ');
  size_t column = text.size();
  if (name.size() >= indent && !description.empty()) text += next_line, column = indent;
  while (!description.empty()) {
    const size_t end = std::min(description.find(' '), description.size());
    if (column > indent) {
      const bool fits = column + 1 + end <= width;
      text += fits ? " " : next_line;
      column = fits ? column + 1 : indent;
    }
    text += description.substr(0, end);
    column += end;
    description.remove_prefix(std::min(end + 1, description.size()));
  }
  return text.erase(text.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace eyrie
