// eval/accept_length.h: the same prompts decoded plainly and with a draft, side by side in one run.
//
//   speed-up     = tokens/s with the draft over tokens/s without, both behind the prefill
//   break-even   = seconds of a cycle (draft, verify, accept) over seconds of a plain step: the accept length at which
//                  the draft costs what it saves; speed-up = accept length / break-even
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "speculative/generate.h"

namespace eyrie {

struct DecodeFigures {
  AcceptStatistics steps;
  GenerateSeconds seconds;

  void add(const GenerateResult& result);
  double tokens_per_second() const;  // behind the prefill and its token
  double seconds_per_step() const;
};

struct SpeculationReport {
  int64_t prompts = 0;
  int64_t identical = 0;  // prompts whose ids are the same both ways
  DecodeFigures plain, speculative;
  // [n] accept length for chains 1 .. n, exact and from this one run: the draft walked over every row of the texts
  // served, whose ids no chain changes. The last one is the served accept length.
  std::vector<double> accept_length_by_chain;
  std::vector<GenerateResult> results;  // [prompts] with the draft

  double speed_up() const;
  double break_even() const;
};

// For people: from which accept length on the draft pays on this machine, what cycle and plain step cost there, whether
// the draft gets there, and what keeps it from that if it does not. `chain`: drafts per verify.
std::string verdict(const SpeculationReport& report, int64_t chain);

struct SpeculationComparison {
  GenerateOptions options;
  std::function<TextStream()> text = {};            // a fresh one for each request; empty: results have no text
  std::function<void(int64_t done)> progress = {};  // prompts done
};

// The two ways take turns prompt by prompt, so that a slow moment of the machine meets both.
SpeculationReport compare_speculation(Exec& exec, const Target& target, const Draft& draft,
                                      const std::vector<std::vector<int32_t>>& prompts,
                                      const SpeculationComparison& comparison);

}  // namespace eyrie
