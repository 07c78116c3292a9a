// eval/probe.h: how well a draft predicts a target's own greedy text, under its file's reading and under the readings
// that public systems confuse with it: tap ids one layer lower or higher (written as input or output ids), the norm
// before the next depth on or off. A wrong reading costs most of the accept length and raises no error.
#pragma once
#include <string>
#include <vector>

#include "model/draft.h"

namespace eyrie {

struct ProbeOptions {
  int64_t max_new_tokens = 64;  // greedy, per prompt
  int64_t depths = 4;
};

// Over fewer prompts readings are not compared: chance would advise.
inline constexpr int64_t kFewestProbePrompts = 8;

struct ProbeReading {
  int64_t tap_shift = 0;         // added to every tap id
  std::vector<int64_t> tap_ids;  // output ids
  bool norm_output = false;
  double first_right = 0;  // share of rows whose first draft is the target's token
  double accept_length = 0;
  int64_t verify_steps = 0;
  // Of each prompt, the same for every reading: what a verify step at any of its rows would keep, in the mean. Every
  // row counts, where the walk of the accept length takes one in a few.
  std::vector<double> kept_per_row = {};
};

// Whether `one` is better than `other` beyond its noise: over pairs of the same prompt the mean difference is more than
// three times its standard error, and there are enough of them.
bool clearly_better(const ProbeReading& one, const ProbeReading& other);

struct ProbeReport {
  std::vector<ProbeReading> readings;  // the first is the file's own
  size_t best = 0;                     // the file's own unless another is clearly better
  std::string verdict;                 // one sentence
};

// `draft` is read under each reading in turn and left as it was. Error{input} when it does not fit the target or there
// is no prompt.
ProbeReport probe_draft(Exec& exec, const Target& target, Draft& draft,
                        const std::vector<std::vector<int32_t>>& prompts, const ProbeOptions& options = {});

}  // namespace eyrie
