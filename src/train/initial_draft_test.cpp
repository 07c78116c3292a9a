#include "train/initial_draft.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "testing/compare.h"
#include "testing/poison.h"
#include "train/train_state.h"

namespace eyrie {
namespace {

DraftConfig small() {
  DraftConfig config;
  DecoderConfig& layer = config.decoder;
  layer.hidden = 12, layer.input_width = 24, layer.intermediate = 20;
  layer.q_heads = 3, layer.kv_heads = 1, layer.head_dim = 4;
  config.target_hidden = 12, config.vocabulary = 30, config.draft_vocabulary = 7;
  return config;
}

struct InitialDraftTest : ::testing::Test {
  const DraftConfig config = small();
  const DraftVocabulary vocabulary = make_draft_vocabulary({0, 3, 4, 9, 17, 28, 29}, 30);
  testing::CaseMemory memory{"initial draft"};
  const Tensor lm_head = memory.normal("lm_head", {30, 12}, 1.0, DType::bf16);
  const Tensor last_norm = memory.normal("norm", {12});
  Parameters make(uint64_t seed, InitialHead head) {
    return initial_draft({config, vocabulary, seed, head, lm_head, last_norm});
  }
};

TEST_F(InitialDraftTest, VocabularyStoresOffsets) {
  EXPECT_EQ(vocabulary.d2t, (std::vector<int64_t>{0, 2, 2, 6, 13, 23, 23}));
  EXPECT_EQ(vocabulary.target_id(4), 17);
  EXPECT_EQ(std::count(vocabulary.t2d.begin(), vocabulary.t2d.end(), 1), 7);
  EXPECT_EQ(vocabulary.t2d[28], 1);
  EXPECT_TRUE(make_draft_vocabulary({0, 1, 2}, 3).d2t.empty()) << "all of it: the ids are the same";
}

TEST_F(InitialDraftTest, HeadAndNormAreTheTargets) {
  const Parameters made = make(1, InitialHead::target);
  const DraftTensors<Tensor>& draft = made.tensors;
  for (int64_t i = 0; i < 7; ++i) {
    const auto row =
        testing::compare("row", draft.lm_head[i], testing::to_doubles(lm_head[vocabulary.target_id(i)]), {0, 0});
    EXPECT_TRUE(row.passed()) << row.text();
  }
  EXPECT_TRUE(testing::compare_bits("norm", draft.norm, last_norm).passed());
}

TEST_F(InitialDraftTest, MatricesAreUniformByFanInAndNormsOne) {
  const Parameters draft = make(1, InitialHead::random);
  for (const NamedTensor& one : named_tensors(config, draft)) {
    const std::vector<double> values = testing::to_doubles(one.tensor);
    const double bound = 1 / std::sqrt(static_cast<double>(one.tensor.dim(-1)));
    double largest = 0, squares = 0;
    for (const double value : values) largest = std::max(largest, std::abs(value)), squares += value * value;
    if (one.tensor.rank() == 1) {
      EXPECT_EQ(squares, static_cast<double>(values.size())) << one.name;
    } else {
      EXPECT_LE(largest, bound) << one.name;
      EXPECT_NEAR(std::sqrt(squares / static_cast<double>(values.size())), bound / std::sqrt(3), 0.15 * bound)
          << one.name;
    }
  }
}

TEST_F(InitialDraftTest, DependsOnTheSeedAlone) {
  const Parameters one = make(1, InitialHead::random), same = make(1, InitialHead::random);
  const Parameters other = make(2, InitialHead::random);
  const DecoderTensors<Tensor>& layer = one.tensors.layer;
  EXPECT_TRUE(testing::compare_bits("fc", one.tensors.fc, same.tensors.fc).passed());
  EXPECT_FALSE(testing::compare_bits("fc", one.tensors.fc, other.tensors.fc).passed());
  EXPECT_FALSE(testing::compare_bits("gate and up", layer.gate.weight, layer.up.weight).passed());
}

}  // namespace
}  // namespace eyrie
