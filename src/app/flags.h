// app/flags.h: the command line of every subcommand; all of CLI11 stands in flags.cpp. A flag, its TOML key, its
// default and its help are one definition.
#pragma once
#include <span>
#include <string_view>

namespace eyrie {

struct Command {
  std::string_view name, summary;
  void (*parse_and_run)(int argc, char** argv);  // argv[0] is the subcommand's name. --help prints and returns
};
std::span<const Command> commands();

}  // namespace eyrie
