#include "speculative/accept.h"

#include <algorithm>

namespace eyrie {

int64_t accepted(std::span<const int32_t> drafts, std::span<const int32_t> chosen) {
  return std::ranges::mismatch(drafts, chosen).in1 - drafts.begin();
}

void AcceptStatistics::add(int64_t tokens_kept) {
  const auto index = static_cast<size_t>(tokens_kept);
  if (steps_by_tokens.size() <= index) steps_by_tokens.resize(index + 1, 0);
  ++steps_by_tokens[index];
}

void AcceptStatistics::add(const AcceptStatistics& other) {
  if (steps_by_tokens.size() < other.steps_by_tokens.size()) steps_by_tokens.resize(other.steps_by_tokens.size(), 0);
  for (size_t i = 0; i < other.steps_by_tokens.size(); ++i) steps_by_tokens[i] += other.steps_by_tokens[i];
}

int64_t AcceptStatistics::verify_steps() const {
  int64_t steps = 0;
  for (const int64_t count : steps_by_tokens) steps += count;
  return steps;
}

int64_t AcceptStatistics::tokens() const {
  int64_t tokens = 0;
  for (size_t i = 0; i < steps_by_tokens.size(); ++i) tokens += static_cast<int64_t>(i) * steps_by_tokens[i];
  return tokens;
}

double AcceptStatistics::accept_length() const {
  const int64_t steps = verify_steps();
  return steps == 0 ? 0 : static_cast<double>(tokens()) / static_cast<double>(steps);
}

AcceptStatistics walk_span(std::span<const int32_t> right_depths, int64_t chain) {
  AcceptStatistics out;
  const auto rows = static_cast<int64_t>(right_depths.size());
  for (int64_t row = 0; row < rows;) {
    const int64_t accepted = std::min<int64_t>(right_depths[static_cast<size_t>(row)], chain);
    // The last step may be right up to the span's last token: nothing follows it.
    out.add(std::min(accepted + 1, rows - row));
    row += accepted + 1;
  }
  return out;
}

}  // namespace eyrie
