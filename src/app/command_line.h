// app/command_line.h: one command's flags, from the words of its command line and from TOML files, strictly read. A
// flag, its TOML key, its default (the value that stands there) and its help are one definition.
#pragma once
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/toml_file.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace eyrie {

struct Whole {
  int64_t least = 0, most = std::numeric_limits<int64_t>::max();
  bool rising = false;  // of a list: each item above the one before it
};
inline constexpr Whole kAboveZero{.least = 1};
struct Real {
  double least = -std::numeric_limits<double>::infinity(), most = -least;
};

class CommandLine {
 public:
  using Words = std::vector<std::string>;

  CommandLine(const std::string& command, const std::string& example);
  ~CommandLine();

  // Flags that are defined from now on stand under this heading of the help.
  void group(const std::string& heading);
  // ---- One flag each; a name without dashes is a word's.
  void flag(const std::string& name, bool& on, const std::string& help);
  void text(const std::string& name, std::string& value, const std::string& help);
  void text(const std::string& name, std::optional<std::string>& value, const std::string& help);
  void path(const std::string& name, std::string& value, const std::string& help);
  void required_path(const std::string& name, std::string& value, const std::string& help);
  // Decimal numbers, nothing else; never NaN.
  void whole(const std::string& name, int64_t& value, const std::string& help, const Whole& range = {});
  void whole(const std::string& name, uint64_t& value, const std::string& help);
  void real(const std::string& name, double& value, const std::string& help, const Real& range = {});
  void choice(const std::string& name, std::string& value, const std::string& help, const Words& choices);
  template <typename T>
  using Choices = std::vector<std::pair<std::string, T>>;
  template <typename T>
  void choice(const std::string& name, T& value, const std::string& help,
              const Choices<std::type_identity_t<T>>& choices);
  // A list takes one word, "1,2,3", so that it cannot swallow what follows it; the flag may be repeated.
  void list(const std::string& name, std::vector<int64_t>& values, const std::string& help, const Whole& range = {});
  void list(const std::string& name, std::vector<int32_t>& values, const std::string& help, const Whole& range);
  void list(const std::string& name, Words& values, const std::string& help);
  // The flag may be repeated, each time with a word that may hold commas; without a flag, any number of words.
  void words(const std::string& name, Words& values, const std::string& help, const std::string& type = "TEXT");

  // False: help was asked for, and printed. Error{usage} for what it does not know or take.
  bool parse(int argc, char** argv);
  // What no word of the command line gave is taken from the file. Error{usage} "FILE:LINE: KEY: …".
  void take_file(const std::string& path);
  // Keys: of the command line, and those of a file that say something else than the default (a run records them all).
  Words given() const;
  bool given(const std::string& key) const;
  void set(const std::string& key, const std::string& word);  // in place of what was given
  // Where the value of a key stands: "FILE:LINE: KEY", or "COMMAND: --KEY".
  std::string place_of(const std::string& key) const;
  // Runs `work`; its errors of a flag get the flag's place.
  void with_places(const std::function<void()>& work) const;
  // Every flag with its value, for a file that take_file reads; paths absolute. `left_out`: keys.
  std::vector<TomlEntry> entries(const Words& left_out) const;

 private:
  CLI::Option& add(const std::string& name, const std::string& help, const std::string& type,
                   const std::function<void(const Words&)>& read, const std::string& standard = "");
  void add_many(const std::string& name, const std::string& help, const std::string& type,
                const std::function<void(const Words&)>& read);
  void add_choice(const std::string& name, const std::string& help, const Words& known, const std::string& standard,
                  const std::function<void(const std::string&)>& read);
  void refuse_unknown_words() const;
  void take(const TomlEntry& entry, const std::string& place);

  std::string command_;
  std::unique_ptr<CLI::App> app_;
  std::map<std::string, std::string> origins_;  // of keys, "FILE:LINE"
};

template <typename T>
void CommandLine::choice(const std::string& name, T& value, const std::string& help,
                         const Choices<std::type_identity_t<T>>& choices) {
  std::string standard;
  Words known;
  for (const auto& [word, meant] : choices) {
    known.push_back(word);
    if (meant == value) standard = word;
  }
  add_choice(name, help, known, standard, [&value, choices](const std::string& found) {
    for (const auto& [word, meant] : choices)
      if (word == found) value = meant;
  });
}

// One entry of a help text: the name, and the description from column `indent` on in lines of at most `width`
// characters. A name that is too long for its column has the first line alone.
std::string help_entry(std::string_view name, std::string_view description, size_t indent, size_t width);

}  // namespace eyrie
