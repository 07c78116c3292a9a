#include "data/packing.h"

#include <numeric>
#include <utility>

#include "base/random.h"

namespace eyrie {

PackedBatch pack(const std::vector<const TokenSequence*>& sequences) {
  PackedBatch batch;
  batch.cu_seqlens.push_back(0);
  for (const TokenSequence* sequence : sequences) {
    batch.input_ids.insert(batch.input_ids.end(), sequence->input_ids.begin(), sequence->input_ids.end());
    batch.loss_mask.insert(batch.loss_mask.end(), sequence->loss_mask.begin(), sequence->loss_mask.end());
    batch.cu_seqlens.push_back(static_cast<int32_t>(batch.input_ids.size()));
  }
  return batch;
}

std::vector<std::vector<int64_t>> group_batches(const std::vector<TokenSequence>& sequences,
                                                const std::vector<int64_t>& order, int64_t token_budget) {
  std::vector<std::vector<int64_t>> batches;
  int64_t room = 0;
  for (const int64_t index : order) {
    const auto tokens = static_cast<int64_t>(sequences[static_cast<size_t>(index)].input_ids.size());
    if (batches.empty() || tokens > room) batches.emplace_back(), room = token_budget;
    batches.back().push_back(index);
    room -= tokens;
  }
  return batches;
}

std::vector<int64_t> file_order(const std::vector<TokenSequence>& sequences) {
  std::vector<int64_t> order(sequences.size());
  std::iota(order.begin(), order.end(), 0);
  return order;
}

std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  RandomStream stream(hash_name("batches") ^ philox(seed, static_cast<uint64_t>(epoch))[0]);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
  return order;
}

std::vector<std::vector<int64_t>> plan_batches(const std::vector<TokenSequence>& sequences, int64_t token_budget,
                                               uint64_t seed, int64_t epoch) {
  return group_batches(sequences, epoch_order(static_cast<int64_t>(sequences.size()), seed, epoch), token_budget);
}

}  // namespace eyrie
