#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "app/flags.h"
#include "base/error.h"

namespace eyrie {
namespace {

void print_help() {
  fmt::print(
      "eyrie trains EAGLE-3 draft models and generates with them.\n\nUsage: eyrie COMMAND [OPTIONS]\n\nCommands:\n");
  for (const Command& command : commands()) fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print("\n`eyrie COMMAND --help` lists the options of a command.\n");
}

int exit_code(ErrorKind kind) {
  if (kind == ErrorKind::usage) return 2;
  return kind == ErrorKind::interrupted ? 130 : 1;
}

void dispatch(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "--help";
  if (name == "--help" || name == "-h" || name == "help") return print_help();
  if (name == "--version") return fmt::print("eyrie {}\n", EYRIE_VERSION);
  const auto found =
      std::find_if(commands().begin(), commands().end(), [&](const Command& c) { return c.name == name; });
  if (found == commands().end())
    throw Error(ErrorKind::usage, std::string(name), "no such command; `eyrie --help` lists them");
  found->parse_and_run(argc - 1, argv + 1);
}

}  // namespace
}  // namespace eyrie

int main(int argc, char** argv) {
  try {
    eyrie::dispatch(argc, argv);
    return std::fflush(stdout) == 0 ? 0 : 1;
  } catch (const eyrie::Error& error) {
    std::fprintf(stderr, "eyrie: %s\n", error.what());
    return eyrie::exit_code(error.kind());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eyrie: internal error: %s\n", error.what());
    return 1;
  }
}
