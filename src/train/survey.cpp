#include "train/survey.h"

#include <fmt/core.h>

#include "base/random.h"
#include "data/supervision.h"

namespace eyrie {

Survey survey(const BatchSource& source, int64_t depths, int64_t vocabulary) {
  Survey found;
  found.supervised.assign(static_cast<size_t>(vocabulary), 0);
  uint64_t hash = 0;
  for (int64_t i = 0; i < source.batches(0); ++i) {
    const PackedBatch batch = source.tokens(0, i);
    for (size_t t = 0; t < batch.input_ids.size(); ++t) {
      hash = hash * 0x100000001b3 + static_cast<uint64_t>(2 * batch.input_ids[t] + batch.loss_mask[t]);
      found.supervised[static_cast<size_t>(batch.input_ids[t])] += batch.loss_mask[t];
      found.supervised_tokens += batch.loss_mask[t];
    }
    hash = mix_hash(hash, static_cast<uint64_t>(batch.sequences()));
    for (size_t s = 1; s < batch.cu_seqlens.size(); ++s) {
      const int64_t length = batch.cu_seqlens[s] - batch.cu_seqlens[s - 1];
      if (length > found.longest)
        found.longest = length, found.longest_batch = i, found.longest_sequence = static_cast<int64_t>(s) - 1;
    }
    const Supervision rule = supervise(batch.loss_mask, batch.cu_seqlens, depths);
    found.batches.push_back({batch.tokens(), rule.rows(), static_cast<int64_t>(rule.prefix_token.size())});
    found.sequences += batch.sequences(), found.tokens += batch.tokens();
  }
  found.hash = fmt::format("{:016x}", hash);
  return found;
}

int64_t Survey::rows() const {
  int64_t sum = 0;
  for (const BatchSize& batch : batches) sum += batch.rows;
  return sum;
}

}  // namespace eyrie
