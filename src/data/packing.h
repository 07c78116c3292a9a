// data/packing.h: packed batches (spec §1): sequences end to end, no padding.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace eyrie {

struct TokenSequence {
  std::string id;
  std::vector<int32_t> input_ids;
  std::vector<uint8_t> loss_mask;  // 1 on tokens the target itself generated
};

struct PackedBatch {
  std::vector<int32_t> input_ids;   // [T]
  std::vector<uint8_t> loss_mask;   // [T]
  std::vector<int32_t> cu_seqlens;  // [B+1], 0 … T
  int64_t tokens() const { return static_cast<int64_t>(input_ids.size()); }
  int64_t sequences() const { return static_cast<int64_t>(cu_seqlens.size()) - 1; }
};

PackedBatch pack(const std::vector<const TokenSequence*>& sequences);

// Sequences in the given order, consecutive ones together up to `token_budget` tokens (at least one sequence a batch).
std::vector<std::vector<int64_t>> group_batches(const std::vector<TokenSequence>& sequences,
                                                const std::vector<int64_t>& order, int64_t token_budget);
std::vector<int64_t> file_order(const std::vector<TokenSequence>& sequences);  // 0, 1, 2, …
// 0 .. count-1 shuffled, by (seed, epoch) alone.
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

// Which sequences form each batch of an epoch: a seeded shuffle per epoch, then consecutive sequences up to
// `token_budget` tokens each (at least one sequence). Depends on (seed, epoch) alone, so a resumed run sees the same
// batches.
std::vector<std::vector<int64_t>> plan_batches(const std::vector<TokenSequence>& sequences, int64_t token_budget,
                                               uint64_t seed, int64_t epoch);

}  // namespace eyrie
