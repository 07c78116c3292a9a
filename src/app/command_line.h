// app/command_line.h: one command's flags, from the words of its command line and from TOML files, strictly read. The
// one header over CLI11.
#pragma once
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "app/toml_file.h"
#include "base/error.h"

namespace eyrie {

// The type of flags whose value is a file or a directory.
inline constexpr const char* kPath = "PATH";

struct Whole {
  int64_t least = 0, most = std::numeric_limits<int64_t>::max();
};
inline constexpr Whole kAboveZero{.least = 1};
struct Real {
  double least = -std::numeric_limits<double>::infinity(), most = -least;
};

// A decimal number, nothing else; CLI::ValidationError names the flag, what is expected and what was found.
int64_t whole_number(const std::string& flag, const std::string& word, const Whole& range);
// The same, with a fraction or an exponent; never NaN.
double real_number(const std::string& flag, const std::string& word, const Real& range);
// The words "1,2" and "3" are the items 1, 2, 3; an empty item is an error.
std::vector<std::string> items_of(const std::string& flag, const std::vector<std::string>& words);

CLI::Option* add_path(CLI::App& app, const std::string& name, std::string& path, const std::string& description);
CLI::Option* add_real(CLI::App& app, const std::string& name, double& value, const std::string& description,
                      const Real& range = {});

template <typename T>
CLI::Option* add_whole(CLI::App& app, const std::string& name, T& value, const std::string& description,
                       const Whole& range = {}) {
  const CLI::callback_t read = [=, &value](const CLI::results_t& words) {
    value = static_cast<T>(whole_number(name, words.back(), range));
    return true;
  };
  return app.add_option(name, read, description, true, [&value] { return fmt::format("{}", value); })->type_name("INT");
}

// A list takes one word, "1,2,3", so that it cannot swallow what follows it; the flag may be repeated.
CLI::Option* add_words(CLI::App& app, const std::string& name, const CLI::callback_t& read,
                       const std::string& description);

template <typename T>
CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<T>& values, const std::string& description,
                      const Whole& range = {}) {
  const CLI::callback_t read = [=, &values](const CLI::results_t& words) {
    values.clear();
    for (const std::string& item : items_of(name, words)) {
      if constexpr (std::is_integral_v<T>)
        values.push_back(static_cast<T>(whole_number(name, item, range)));
      else
        values.push_back(item);
    }
    return true;
  };
  return add_words(app, name, read, description)->type_name(std::is_integral_v<T> ? "INT" : "TEXT");
}

class CommandLine {
 public:
  explicit CommandLine(std::string command);
  CLI::App& app() { return app_; }

  // False: help was asked for, and printed. Error{usage} for what it does not know or take.
  bool parse(int argc, char** argv);
  // What no word of the command line gave is taken from the file. Error{usage} "FILE:LINE: KEY: …".
  void take_file(const std::string& path);
  // Keys: of the command line, and those of a file that say something else than the default (a run records them all).
  std::vector<std::string> given() const;
  bool given(const std::string& key) const { return app_.get_option("--" + key)->count() > 0; }
  void set(const std::string& key, const std::string& word);  // in place of what was given
  // Where the value of a key stands: "FILE:LINE: KEY", or "COMMAND: --KEY".
  std::string place_of(const std::string& key) const;
  // Runs `work`; its errors of a flag get the flag's place.
  template <typename Work>
  void with_places(const Work& work) const {
    try {
      work();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::usage || !app_.get_option_no_throw("--" + error.place())) throw;
      throw Error(ErrorKind::usage, place_of(error.place()),
                  std::string(error.what()).substr(error.place().size() + 2));
    }
  }
  // Every flag with its value, for a file that take_file reads; paths absolute. `left_out`: keys.
  std::vector<TomlEntry> entries(const std::vector<std::string>& left_out) const;

 private:
  void refuse_unknown_words() const;
  void take(const TomlEntry& entry, const std::string& place);

  std::string command_;
  CLI::App app_;
  std::map<std::string, std::string> origins_;  // of keys, "FILE:LINE"
};

}  // namespace eyrie
