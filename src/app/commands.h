// app/commands.h: the subcommands of `eyrie`: one options struct and one function each. Each function returns when its
// work is done and throws Error otherwise; main() maps that to an exit code.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace eyrie {

struct TokenizeOptions {
  std::string model;
};
void run_tokenize(const TokenizeOptions&);

struct CaptureOptions {
  std::string model, input, output, dtype = "bf16", chat_template;
  std::vector<int64_t> tap_ids;
  int64_t max_tokens = 2048;    // of one sequence
  int64_t token_budget = 2048;  // of one packed batch
};
void run_capture(const CaptureOptions&);

}  // namespace eyrie
