// app/report/generated.h: what a run's draft generated last; generated.json in the run directory keeps it for the page.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/prompts.h"
#include "speculative/generate.h"

namespace eyrie {

struct AnswerPiece {
  std::string text;  // UTF-8; one token, or the bytes of several that make whole characters
  bool from_draft;   // an accepted draft token
};

struct SampleAnswer {
  std::string question;
  std::vector<AnswerPiece> pieces;
};

struct Generated {
  static constexpr size_t kSamples = 6;

  int64_t prompts = 0, chain = 0;
  AcceptStatistics accepted = {};
  std::vector<SampleAnswer> answers = {};                         // of the first prompts
  std::string verdict = {};                                       // of a comparison with plain decoding; or empty
  std::vector<std::pair<std::string, std::string>> figures = {};  // of it: label, value

  // The next prompt's answer; the first few are kept as samples, when there is a tokenizer.
  void add(const Prompt& prompt, const GenerateResult& result, const Tokenizer* tokenizer);
};

void write_generated(const std::string& run_directory, const Generated& generated);
std::optional<Generated> read_generated(const std::string& run_directory);  // nothing where nothing was generated

}  // namespace eyrie
