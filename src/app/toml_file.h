// app/toml_file.h: TOML files of keys and values without sections: what `--config` reads, what a run records.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace eyrie {

struct TomlEntry {
  enum class Kind { text, integer, number, boolean };
  std::string key;
  int64_t line = 0;                // in the file
  Kind kind = Kind::text;          // of its words; of an empty list any
  bool list = false;               // an array; else there is one word
  std::vector<std::string> words;  // as a flag takes them: text as it is, integers in decimal
};

const char* name(TomlEntry::Kind kind);  // "a string", "an integer" …

// In the file's order. Error{file}: it cannot be read; Error{usage} "FILE:LINE: …": it is no TOML, or has a section, a
// date, an array of unlike values.
std::vector<TomlEntry> read_toml(const std::string& path);

// A line each.
std::string write_toml(const std::vector<TomlEntry>& entries);

}  // namespace eyrie
