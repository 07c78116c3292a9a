#include "train/loss.h"

#include <gtest/gtest.h>

namespace eyrie {
namespace {

TEST(Loss, ScalesAreDecayOverRows) {
  const std::vector<int64_t> rows = {4, 2, 0};
  const std::vector<double> scales = depth_scales(0.5, rows);
  EXPECT_DOUBLE_EQ(scales[0], 0.25);
  EXPECT_DOUBLE_EQ(scales[1], 0.25);
  EXPECT_DOUBLE_EQ(scales[2], 0.0) << "no rows contribute nothing, not infinity";
}

TEST(Loss, NormalizeIsFoundByName) {
  EXPECT_EQ(find_normalize("micro-batch"), Normalize::micro_batch);
  EXPECT_EQ(find_normalize(name(Normalize::step)), Normalize::step);
  EXPECT_THROW(find_normalize("batch"), Error);
}

// One sequence with spans [1, 4] and [6, 8]: rows 0, 1, 2 and 5, 6.
struct Figures : ::testing::Test {
  const std::vector<uint8_t> mask = {0, 1, 1, 1, 1, 0, 1, 1, 1};
  const std::vector<int32_t> offsets = {0, 9};
  const Supervision supervision = supervise(mask, offsets, 2);
  std::vector<float> loss = {1, 3, /**/ 2, 0, /**/ 0, 0, /**/ 4, 5, /**/ 0, 0};
  std::vector<float> accept = {0.5f, 0.5f, /**/ 0.25f, 0.5f, /**/ 0.75f, 0, /**/ 1, 1, /**/ 0, 0};
  std::vector<RowOutcome> outcome = {RowOutcome::right,
                                     RowOutcome::right,
                                     /**/ RowOutcome::wrong,
                                     RowOutcome::out_of_vocabulary,
                                     /**/ RowOutcome::out_of_vocabulary,
                                     RowOutcome::unsupervised,
                                     /**/ RowOutcome::right,
                                     RowOutcome::right,
                                     /**/ RowOutcome::out_of_vocabulary,
                                     RowOutcome::unsupervised};
  StepFigures read() {
    const Shape shape = {5, 2};
    return read_figures(
        supervision,
        {{loss.data(), DType::f32, shape}, {accept.data(), DType::f32, shape}, {outcome.data(), DType::u8, shape}});
  }
};

TEST_F(Figures, EachOverItsOwnRows) {
  ASSERT_EQ(supervision.rows(), 5);
  const StepFigures figures = read();
  const DepthFigures& first = figures.depths[0];
  EXPECT_DOUBLE_EQ(first.loss(), 7.0 / 3) << "over the rows that learn";
  EXPECT_DOUBLE_EQ(first.oov_share(), 2.0 / 5);
  EXPECT_DOUBLE_EQ(first.accuracy(), 2.0 / 5) << "over every supervised row";
  EXPECT_DOUBLE_EQ(first.accept_probability(), 2.5 / 5);
  EXPECT_EQ(figures.supervised(), (std::vector<int64_t>{5, 3}));
  EXPECT_EQ(figures.depths[0].in_vocabulary, 3);
  EXPECT_EQ(figures.depths[1].in_vocabulary, 2);
  EXPECT_DOUBLE_EQ(figures.product_accept_length(), 1 + 0.4 + 0.4 * 2 / 3);
  const std::vector<double> scales = {0.5, 0.25};
  EXPECT_DOUBLE_EQ(figures.loss(scales), 0.5 * 7 + 0.25 * 8);
}

TEST_F(Figures, EverySpanIsWalkedByItself) {
  const StepFigures figures = read();
  EXPECT_EQ(figures.walked[0].tokens(), 5);  // rows 0, 2 and 5: the first span's last row does not run into the next
  EXPECT_EQ(figures.walked[0].verify_steps(), 3);
  EXPECT_EQ(figures.walked[1].tokens(), 5);  // rows 0 (3 tokens, the rest of its span) and 5
  EXPECT_EQ(figures.walked[1].verify_steps(), 2);
}

TEST_F(Figures, SumsOverMicroBatches) {
  StepFigures both;
  both.add(read());
  both.add(read());
  EXPECT_EQ(both.depths[0].supervised, 10);
  EXPECT_DOUBLE_EQ(both.depths[0].loss(), read().depths[0].loss());
  EXPECT_EQ(both.walked[1].verify_steps(), 4);
}

}  // namespace
}  // namespace eyrie
