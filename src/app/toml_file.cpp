#include "app/toml_file.h"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/error.h"
#include "io/atomic_dir.h"

namespace eyrie {
namespace {

using Kind = TomlEntry::Kind;

[[noreturn]] void refuse(const std::string& path, int64_t line, const std::string& message) {
  throw Error(ErrorKind::usage, fmt::format("{}:{}", path, line), message);
}

std::string type_of(const toml::node& value) {
  std::ostringstream text;
  text << (value.is_array() ? "an " : "a ") << value.type();
  return text.str();
}

void add_word(const std::string& path, const toml::node& value, TomlEntry& entry) {
  const auto add = [&](Kind kind, std::string word) {
    if (!entry.words.empty() && kind != entry.kind)
      refuse(
          path, value.source().begin.line,
          fmt::format("{}: expected values of one type, found {} behind {}", entry.key, name(kind), name(entry.kind)));
    entry.kind = kind;
    entry.words.push_back(std::move(word));
  };
  if (const auto* text = value.as_string()) return add(Kind::text, text->get());
  if (const auto* integer = value.as_integer()) return add(Kind::integer, std::to_string(integer->get()));
  if (const auto* number = value.as_floating_point()) return add(Kind::number, fmt::format("{}", number->get()));
  if (const auto* boolean = value.as_boolean()) return add(Kind::boolean, boolean->get() ? "true" : "false");
  refuse(path, value.source().begin.line,
         fmt::format("{}: expected a string, a number, true, false or an array of such, found {}", entry.key,
                     type_of(value)));
}

TomlEntry entry_of(const std::string& path, const toml::key& key, const toml::node& value) {
  TomlEntry entry{.key = std::string(key.str()), .line = key.source().begin.line, .words = {}};
  if (value.is_table() && !value.as_table()->is_inline())
    refuse(path, entry.line, fmt::format("there is no section [{}]: every key stands by itself", entry.key));
  const toml::array* items = value.as_array();
  entry.list = items != nullptr;
  if (!items) add_word(path, value, entry);
  for (size_t i = 0; items && i < items->size(); ++i) add_word(path, (*items)[i], entry);
  return entry;
}

template <typename T>
T parsed(const std::string& word) {
  T value{};
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

// As it was given, where TOML takes that (it takes neither ".5" nor "05"). The library would write 17 digits: 0.8 as
// 0.80000000000000004.
std::string number_text(const std::string& word) {
  try {
    static_cast<void>(toml::parse("number = " + word));
    return word;
  } catch (const toml::parse_error&) {
    return fmt::format("{}", parsed<double>(word));
  }
}

void insert(toml::array& values, Kind kind, const std::string& word) {
  if (kind == Kind::text) values.push_back(word);
  if (kind == Kind::integer) values.push_back(parsed<int64_t>(word));
  if (kind == Kind::number) values.push_back(parsed<double>(word));
  if (kind == Kind::boolean) values.push_back(word == "true");
}

}  // namespace

const char* name(Kind kind) {
  constexpr const char* kNames[] = {"a string", "an integer", "a number", "true or false"};
  return kNames[static_cast<size_t>(kind)];
}

std::vector<TomlEntry> read_toml(const std::string& path) {
  const std::string text = read_file(path);
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    refuse(path, error.source().begin.line, std::string(error.description()));
  }
  std::vector<TomlEntry> entries;
  for (const auto& [key, value] : table) entries.push_back(entry_of(path, key, value));
  std::ranges::stable_sort(entries, {}, &TomlEntry::line);  // a table sorts its keys
  return entries;
}

std::string write_toml(const std::vector<TomlEntry>& entries) {
  std::ostringstream text;
  for (const TomlEntry& entry : entries) {
    if (entry.kind == Kind::number && !entry.list) {
      text << entry.key << " = " << number_text(entry.words[0]) << '\n';
      continue;
    }
    toml::array values;
    for (const std::string& word : entry.words) insert(values, entry.kind, word);
    toml::table line;
    if (entry.list)
      line.insert(entry.key, std::move(values));
    else
      line.insert(entry.key, values[0]);
    text << line << '\n';
  }
  return text.str();
}

}  // namespace eyrie
