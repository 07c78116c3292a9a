// app/bench/decoding.h: rows of one sequence through a target and its draft, as generation runs them, to be timed.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "speculative/paged_models.h"
#include "testing/harness.h"

namespace eyrie {

// Bytes of the weights that one row reads: every matrix but the embedding, of which it reads a row.
double weight_bytes_per_row(const Target& target);

// A target behind a prompt, and the draft that goes with it (or none).
class DecodingBench {
 public:
  DecodingBench(const Target& target, const Draft* draft);

  // `rows` tokens behind the prompt, with the best next token of each. Calls repeat the same positions.
  void verify(int64_t rows);
  // The draft's slots of `rows` target rows, and its best token.
  void extend(int64_t rows);
  void step();  // one chain step with its best token
  // The same without drafts behind them: the logits of the last one alone.
  void prefill(int64_t rows);
  // Every linear layer alone, the head of the last rows.
  void linear_layers(int64_t rows, int64_t logit_rows);

  Exec& exec() { return exec_; }
  const Target& target() const { return target_; }

 private:
  // The first `rows` tokens on from a position, with the logits of the last ones.
  StepRows step_of(int64_t first_position, int64_t rows, int64_t logits);

  Exec exec_;
  const Target& target_;
  PagePool pool_;
  PagedSequence sequence_;
  HostArrays arrays_;
  PagedTarget paged_target_;
  std::optional<PagedDraft> paged_draft_;
  std::vector<int32_t> tokens_;
  int64_t chosen_ = 0;
};

// A line of so many rows, which wait for the multiply-adds of the linear layers; of the head, those of one row.
void print_many_rows(DecodingBench& bench, const char* name, int64_t rows, const std::function<void()>& call);

}  // namespace eyrie
