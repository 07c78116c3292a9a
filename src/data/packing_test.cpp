#include "data/packing.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "base/error.h"
#include "data/vocabulary.h"

namespace eyrie {
namespace {

std::vector<TokenSequence> sequences_of(const std::vector<int>& lengths) {
  std::vector<TokenSequence> sequences;
  for (const int length : lengths) {
    TokenSequence sequence;
    sequence.input_ids.resize(static_cast<size_t>(length));
    std::iota(sequence.input_ids.begin(), sequence.input_ids.end(), 0);
    sequence.loss_mask.assign(static_cast<size_t>(length), 1);
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

TEST(Packing, LaysSequencesEndToEnd) {
  const auto sequences = sequences_of({3, 1, 2});
  const PackedBatch batch = pack({&sequences[2], &sequences[0]});
  EXPECT_EQ(batch.input_ids, (std::vector<int32_t>{0, 1, 0, 1, 2}));
  EXPECT_EQ(batch.cu_seqlens, (std::vector<int32_t>{0, 2, 5}));
  EXPECT_EQ(batch.loss_mask.size(), 5u);
}

TEST(Packing, EveryBatchFitsAndEverySequenceComesOnce) {
  const auto sequences = sequences_of({5, 9, 1, 30, 4, 4, 2, 8, 7, 3});
  const auto batches = plan_batches(sequences, 12, 7, 0);
  std::multiset<int64_t> seen;
  for (const auto& batch : batches) {
    int64_t tokens = 0;
    for (const int64_t index : batch) {
      seen.insert(index);
      tokens += static_cast<int64_t>(sequences[static_cast<size_t>(index)].input_ids.size());
    }
    EXPECT_TRUE(tokens <= 12 || batch.size() == 1);
  }
  EXPECT_EQ(seen.size(), sequences.size());
  EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), sequences.size());
  EXPECT_EQ(batches, plan_batches(sequences, 12, 7, 0));
  EXPECT_NE(batches, plan_batches(sequences, 12, 7, 1));
  EXPECT_NE(batches, plan_batches(sequences, 12, 8, 0));
}

TEST(Vocabulary, MostFrequentThenLowestId) {
  const std::vector<int64_t> counts = {1, 5, 0, 5, 1, 0};
  EXPECT_EQ(draft_vocabulary_ids(counts, 1), (std::vector<int64_t>{1}));
  EXPECT_EQ(draft_vocabulary_ids(counts, 3), (std::vector<int64_t>{0, 1, 3}));
  EXPECT_EQ(draft_vocabulary_ids(counts, 5), (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_DOUBLE_EQ(out_of_vocabulary_share(counts, {0, 1}), 0.5);
  EXPECT_THROW(draft_vocabulary_ids(counts, 7), Error);
  EXPECT_THROW(draft_vocabulary_ids(counts, 0), Error);
}

TEST(Vocabulary, CountsSupervisedTokensOnly) {
  TokenSequence sequence;
  sequence.input_ids = {3, 3, 1, 3};
  sequence.loss_mask = {0, 1, 1, 1};
  EXPECT_EQ(count_supervised_tokens({sequence}, 4), (std::vector<int64_t>{0, 1, 0, 2}));
}

}  // namespace
}  // namespace eyrie
