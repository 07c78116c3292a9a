#include "app/command_line.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>

#include "app/usage.h"
#include "base/nearest_word.h"

namespace eyrie {
namespace {

using Kind = TomlEntry::Kind;

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

std::string expected(const Whole& range) {
  if (range.most < Whole().most) return fmt::format("a number from {} to {}", range.least, range.most);
  return range.least == 1 ? "a number above 0" : fmt::format("a number of at least {}", range.least);
}

bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }
bool is_list(const CLI::Option& option) { return option.get_items_expected_max() > 1; }

Kind kind_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return is_flag(option) ? Kind::boolean : type == "INT" ? Kind::integer : type == "FLOAT" ? Kind::number : Kind::text;
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

}  // namespace

int64_t whole_number(const std::string& flag, const std::string& word, const Whole& range) {
  const size_t digits = word.starts_with('-') ? 1 : 0;
  const bool padded = word.size() > digits + 1 && word[digits] == '0';  // octal to some
  int64_t value = 0;
  const char* const end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, value);
  if (word.empty() || rest != end || padded || error == std::errc::invalid_argument)
    throw CLI::ValidationError(flag, fmt::format("expected a whole number, found \"{}\"", word));
  if (error != std::errc() || value < range.least || value > range.most)
    throw CLI::ValidationError(flag, fmt::format("expected {}, found {}", expected(range), word));
  return value;
}

double real_number(const std::string& flag, const std::string& word, const Real& range) {
  double value = 0;
  const char* const end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, value);
  if (rest != end || error == std::errc::invalid_argument)
    throw CLI::ValidationError(flag, fmt::format("expected a number, found \"{}\"", word));
  if (error == std::errc() && value >= range.least && value <= range.most) return value;
  const bool bounded = range.most < Real().most;
  const std::string wanted = bounded ? fmt::format("from {} to {}", range.least, range.most) : "that a double holds";
  throw CLI::ValidationError(flag, fmt::format("expected a number {}, found {}", wanted, word));
}

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

CLI::Option* add_path(CLI::App& app, const std::string& name, std::string& path, const std::string& description) {
  const auto problem = [](const std::string& word) {
    return word.empty() ? std::string("expected a path, found \"\"") : std::string();
  };
  return app.add_option(name, path, description)->type_name(kPath)->check(CLI::Validator(problem, ""));
}

CLI::Option* add_real(CLI::App& app, const std::string& name, double& value, const std::string& description,
                      const Real& range) {
  const CLI::callback_t read = [=, &value](const CLI::results_t& words) {
    value = real_number(name, words.back(), range);
    return true;
  };
  return app.add_option(name, read, description, true, [&value] { return fmt::format("{}", value); })
      ->type_name("FLOAT");
}

CLI::Option* add_words(CLI::App& app, const std::string& name, const CLI::callback_t& read,
                       const std::string& description) {
  return app.add_option(name, read, description)
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->allow_extra_args(false);
}

CommandLine::CommandLine(std::string command) : command_(std::move(command)), app_("", "eyrie " + command_) {
  app_.option_defaults()->always_capture_default();
  app_.formatter(std::make_shared<HelpFormatter>());
  app_.footer(help_footer(command_));
  app_.allow_extras();
}

// The first word of the command line that this command does not know.
void CommandLine::refuse_unknown_words() const {
  if (app_.remaining_size() == 0) return;
  const std::string word = app_.remaining()[0], flag = word.substr(0, word.find('='));
  if (!flag.starts_with('-')) throw Error(ErrorKind::usage, command_, "\"" + word + "\" is one argument too many");
  throw Error(ErrorKind::usage, command_, "there is no option " + flag + suggestion(flag, names_of(app_, "--")));
}

bool CommandLine::parse(int argc, char** argv) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app_.help();
    return false;
  } catch (const CLI::ParseError& error) {
    refuse_unknown_words();
    throw Error(ErrorKind::usage, command_, error.what());
  }
  refuse_unknown_words();
  return true;
}

void CommandLine::take(const TomlEntry& entry, const std::string& place) {
  CLI::Option* const option = app_.get_option_no_throw("--" + entry.key);
  if (!option || entry.key == "config" || entry.key == "help")
    throw Error(ErrorKind::usage, place,
                "there is no key \"" + entry.key + "\"" + suggestion(entry.key, names_of(app_, "")));
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
  for (const CLI::Option* option : app_.get_options([](const CLI::Option* one) { return one->count() > 0; })) {
    const std::string key = option->get_single_name();
    if (!origins_.contains(key) || option->results()[0] != option->get_default_str()) keys.push_back(key);
  }
  return keys;
}

void CommandLine::set(const std::string& key, const std::string& word) {
  CLI::Option* const option = app_.get_option("--" + key);
  option->clear();
  option->add_result(word);
  option->run_callback();
}

std::string CommandLine::place_of(const std::string& key) const {
  const auto origin = origins_.find(key);
  return origin == origins_.end() ? command_ + ": --" + key : origin->second + ": " + key;
}

std::vector<TomlEntry> CommandLine::entries(const std::vector<std::string>& left_out) const {
  std::vector<TomlEntry> entries;
  for (const CLI::Option* option : app_.get_options({})) {
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

}  // namespace eyrie
