#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>

#include "app/commands.h"
#include "base/error.h"
#include "base/nearest_word.h"

namespace eyrie {
namespace {

void print_help() {
  fmt::print(
      "eyrie trains EAGLE-3 draft models and generates with them.\n\nUsage: eyrie COMMAND [OPTIONS]\n\nCommands:\n");
  for (const Command& command : commands()) fmt::print("  {:<10} {}\n", command.name, command.summary);
  fmt::print(
      "\n`eyrie help COMMAND` lists the options of a command, with an example.\n"
      "docs/training.md explains the words (tap, depth, walked, n_k, accept length).\n");
}

int exit_code(ErrorKind kind) {
  if (kind == ErrorKind::usage) return 2;
  return kind == ErrorKind::interrupted ? 130 : 1;
}

void dispatch(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "--help";
  const bool asks_help = name == "--help" || name == "-h" || name == "help";
  if (asks_help && argc > 2) {
    char help[] = "--help";
    char* asked[] = {argv[0], argv[2], help};
    return dispatch(3, asked);
  }
  if (asks_help) return print_help();
  if (name == "--version") return fmt::print("eyrie {}\n", EYRIE_VERSION);
  const auto found =
      std::find_if(commands().begin(), commands().end(), [&](const Command& c) { return c.name == name; });
  if (found == commands().end()) {
    std::vector<std::string> names;
    for (const Command& command : commands()) names.emplace_back(command.name);
    throw Error(ErrorKind::usage, std::string(name),
                "no such command" + suggestion(name, names) + " (`eyrie --help` lists them)");
  }
  found->parse_and_run(*found, argc - 1, argv + 1);
}

// What was printed has reached its reader, or it is an error.
void finish_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout.flush()) return;
  throw Error(ErrorKind::file, "standard output", errno ? std::strerror(errno) : "not everything could be written");
}

// The most that this process had at a time.
std::string memory_in_use() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return fmt::format("{:.1f} GiB", static_cast<double>(usage.ru_maxrss) * 1024 / 0x1p30);
}

int run(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is then an error of write(), which says which file
  try {
    dispatch(argc, argv);
    finish_output();
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "eyrie: %s\n", error.what());
    return exit_code(error.kind());
  } catch (const std::filesystem::filesystem_error& error) {
    std::fprintf(stderr, "eyrie: %s: %s\n", shown_text(error.path1().native()).c_str(), error.code().message().c_str());
    return 1;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "eyrie: %s: out of memory: the system gave no more than %s\n", argv[1],
                 memory_in_use().c_str());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eyrie: internal error: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace eyrie

int main(int argc, char** argv) { return eyrie::run(argc, argv); }
