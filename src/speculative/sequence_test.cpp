#include "speculative/sequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "tensor/buffer.h"

namespace eyrie {
namespace {

constexpr int64_t kVocabulary = 3;
const SequenceLimits kLimits = {.vocabulary = kVocabulary, .positions = 100, .draft_positions = 100};

// Logits whose rows choose these tokens; of rows past them nothing can be chosen.
Buffer logits_of(const std::vector<int32_t>& choices, int64_t rows) {
  Buffer logits(DType::f32, {rows, kVocabulary});
  float* values = logits.tensor().as<float>();
  std::fill_n(values, rows * kVocabulary, NAN);
  for (size_t row = 0; row < choices.size(); ++row)
    for (int32_t id = 0; id < kVocabulary; ++id)
      values[row * kVocabulary + static_cast<size_t>(id)] = id == choices[row] ? 1 : 0;
  return logits;
}

struct Served {
  PagePool pool{{{1, 4}}, 2, 50};
  Sequence sequence;
  explicit Served(const GenerateOptions& options) : sequence(pool, std::vector<int32_t>{0, 1, 0}, options, kLimits) {}

  void keep_choices(const std::vector<int32_t>& choices) {
    const Buffer logits = logits_of(choices, sequence.logit_rows());
    sequence.keep(logits, "model");
  }
};

TEST(Sequence, PromptComesInChunksAndItsLastRowChooses) {
  Served served({.max_new_tokens = 9, .chain = 2});
  Sequence& sequence = served.sequence;
  sequence.plan(2);
  EXPECT_EQ(sequence.cycle.rows, (IndexRange{0, 2}));
  EXPECT_EQ(sequence.logit_rows(), 0);
  served.keep_choices({});
  EXPECT_EQ(sequence.extended_slots(), (IndexRange{0, 2}));
  sequence.plan(2);
  EXPECT_EQ(sequence.cycle.rows, (IndexRange{2, 3}));
  EXPECT_EQ(sequence.logit_rows(), 1);
  EXPECT_TRUE(sequence.in_prompt());
  served.keep_choices({2});
  EXPECT_EQ(sequence.tokens, (std::vector<int32_t>{0, 1, 0, 2}));
  EXPECT_EQ(sequence.extended_slots(), (IndexRange{2, 3}));
  EXPECT_EQ(sequence.result.accepted.verify_steps(), 0);
  sequence.plan(2);
  EXPECT_EQ(sequence.cycle.rows, (IndexRange{3, 6}));
  EXPECT_EQ(sequence.pages.pages(), 3);
}

TEST(Sequence, KeepsTheDraftsThatTheTargetChoosesAndItsOwnTokenAndDrawsNoFurther) {
  RandomStream stream("keep");
  for (int round = 0; round < 2000; ++round) {
    const auto chain = static_cast<int64_t>(stream.below(6));
    const auto room = static_cast<int64_t>(1 + stream.below(8));
    const bool stops = stream.below(2);
    Served served({.max_new_tokens = room + 1,
                   .chain = chain,
                   .stop_ids = stops ? std::vector<int32_t>{2} : std::vector<int32_t>{}});
    Sequence& sequence = served.sequence;
    sequence.plan(8);
    served.keep_choices({1});
    sequence.plan(8);
    ASSERT_EQ(sequence.cycle.chain, std::min(chain, room - 1));
    std::vector<int32_t> drafts(static_cast<size_t>(sequence.cycle.chain)), choices;
    for (int32_t& token : drafts) token = static_cast<int32_t>(stream.below(kVocabulary));
    do choices.push_back(static_cast<int32_t>(stream.below(kVocabulary)));
    while (!(stops && choices.back() == 2) && choices.size() <= drafts.size() &&
           choices.back() == drafts[choices.size() - 1]);
    sequence.tokens.insert(sequence.tokens.end(), drafts.begin(), drafts.end());
    served.keep_choices(choices);

    std::vector<int32_t> expected = {0, 1, 0, 1};
    expected.insert(expected.end(), choices.begin(), choices.end());
    ASSERT_EQ(sequence.tokens, expected);
    ASSERT_EQ(sequence.known, std::ssize(expected));
    const GenerateResult& result = sequence.result;
    ASSERT_EQ(result.accepted.tokens(), std::ssize(choices));
    ASSERT_EQ(result.accepted.verify_steps(), 1);
    const bool stopped = stops && choices.back() == 2;
    ASSERT_EQ(sequence.ended, stopped || std::ssize(choices) == room);
    ASSERT_EQ(result.finish, stopped ? FinishReason::stop_token : FinishReason::length);
    if (sequence.ended) continue;
    ASSERT_EQ(sequence.kept_drafts, std::ssize(choices) - 1);
    ASSERT_EQ(sequence.extended_slots(), (IndexRange{3, sequence.known - 1}));
    ASSERT_EQ(sequence.pages.pages(), sequence.known / 2);
  }
}

TEST(Sequence, LosesItsDraftBehindTheDraftsPositions) {
  for (const int64_t positions : {2, 3, 4, 5}) {
    PagePool pool({{1, 4}}, 2, 50);
    Sequence sequence(pool, std::vector<int32_t>{0, 1, 0}, {.max_new_tokens = 9, .chain = 1},
                      {.vocabulary = kVocabulary, .positions = 100, .draft_positions = positions});
    EXPECT_EQ(sequence.drafted, positions >= 3);
    for (;;) {
      sequence.plan(8);
      EXPECT_EQ(sequence.cycle.chain, sequence.drafted && !sequence.in_prompt() && sequence.known < positions);
      if (sequence.cycle.chain > 0) sequence.tokens.push_back(2);
      const Buffer logits = logits_of({1}, sequence.logit_rows());
      sequence.keep(logits, "model");
      if (sequence.ended) break;
      EXPECT_EQ(sequence.drafted, sequence.known - 1 <= positions);
    }
  }
}

}  // namespace
}  // namespace eyrie
