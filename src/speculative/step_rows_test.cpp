#include "speculative/step_rows.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "tensor/exec.h"

namespace eyrie {
namespace {

const std::vector<CacheLayer> kLayers = {{2, 8}, {1, 4}};

std::vector<int32_t> values(const ConstTensor& tensor) {
  return {tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.elements()};
}

TEST(StepRows, TellEachRowItsTokenPlaceAndSource) {
  Exec exec;
  HostArrays arrays;
  PagePool pool(kLayers, 4, 12);
  PagedSequence one(pool), two(pool);
  two.reserve(2), one.reserve(9), two.reserve(6);  // pages 0 and 4; 1, 2, 3
  const std::vector<int32_t> tokens = {50, 51, 52, 53};
  const SequenceRows runs[] = {{&one, tokens, 5, 2, 7}, {&two, std::span(tokens).first(1), 4, 0, 3}, {&two, {}, 0}};
  const StepRows step = make_step_rows(exec, arrays, runs);
  EXPECT_EQ(step.rows, 5);
  EXPECT_EQ(step.logits, 2);
  EXPECT_EQ(values(step.token), (std::vector<int32_t>{50, 51, 52, 53, 50}));
  EXPECT_EQ(values(step.position), (std::vector<int32_t>{5, 6, 7, 8, 4}));
  EXPECT_EQ(values(step.slot), (std::vector<int32_t>{9, 10, 11, 12, 16}));
  EXPECT_EQ(values(step.sequence), (std::vector<int32_t>{0, 0, 0, 0, 1}));
  EXPECT_EQ(values(step.logit_row), (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(values(step.source_row), (std::vector<int32_t>{7, 8, 9, 10, 3}));
  EXPECT_EQ(step.page_table.shape, (Shape{3, 3}));
  EXPECT_EQ(values(step.page_table[0]), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(values(step.page_table[1].slice(0, 2)), (std::vector<int32_t>{0, 4}));
  EXPECT_EQ(step.layers.data(), pool.layers().data());
}

// What the models read of it: by the slot and by the page table a row finds the same place.
TEST(StepRows, SlotsAreThoseOfThePageTable) {
  RandomStream stream("slots");
  Exec exec;
  HostArrays arrays;
  for (int round = 0; round < 200; ++round) {
    const auto page_size = static_cast<int64_t>(1 + stream.below(5));
    PagePool pool(kLayers, page_size, 60);
    std::vector<std::unique_ptr<PagedSequence>> sequences;
    std::vector<std::vector<int32_t>> tokens;
    std::vector<SequenceRows> runs;
    for (uint64_t i = 0, count = 1 + stream.below(5); i < count; ++i) {
      sequences.push_back(std::make_unique<PagedSequence>(pool));
      const auto begin = static_cast<int64_t>(stream.below(6));
      tokens.emplace_back(1 + stream.below(5), static_cast<int32_t>(i));
      sequences.back()->reserve(begin + std::ssize(tokens.back()));
    }
    for (size_t i = 0; i < sequences.size(); ++i) {
      const int64_t rows = std::ssize(tokens[i]), owned = sequences[i]->pages() * page_size;
      runs.push_back(
          {sequences[i].get(), tokens[i], static_cast<int64_t>(stream.below(static_cast<uint64_t>(owned - rows + 1)))});
    }
    const StepRows step = make_step_rows(exec, arrays, runs);
    const auto table = step.page_table.view<int32_t, 2>();
    for (int64_t row = 0; row < step.rows; ++row) {
      const auto at = [&](const ConstTensor& index) { return index.as<int32_t>()[row]; };
      ASSERT_EQ(at(step.sequence), at(step.token));
      ASSERT_EQ(at(step.slot), slot_of(table.row(at(step.sequence)), page_size, at(step.position)));
    }
  }
}

TEST(StepRows, RowsThatCountUpNeedNoIndex) {
  Exec exec;
  HostArrays arrays;
  PagePool pool(kLayers, 4, 12);
  PagedSequence sequence(pool);
  sequence.reserve(6);
  const std::vector<int32_t> tokens = {1, 2, 3};
  const auto step = [&](int64_t logits, int64_t first_source) {
    const SequenceRows run{&sequence, tokens, 2, logits, first_source};
    return make_step_rows(exec, arrays, {&run, 1});
  };
  EXPECT_FALSE(step(3, 0).logit_row.defined() || step(0, 0).logit_row.defined() || step(3, 0).source_row.defined());
  EXPECT_TRUE(step(2, 0).logit_row.defined() && step(3, 1).source_row.defined());
}

TEST(StepRows, StandInsideTheirPages) {
  Exec exec;
  HostArrays arrays;
  PagePool pool(kLayers, 4, 12), other(kLayers, 4, 12);
  PagedSequence sequence(pool), stranger(other);
  sequence.reserve(6), stranger.reserve(6);
  const std::vector<int32_t> tokens = {1, 2, 3};
  const auto message = [&](const std::vector<SequenceRows>& runs) -> std::string {
    try {
      make_step_rows(exec, arrays, runs);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({{&sequence, tokens, 5}}), "");
  EXPECT_EQ(message({{&sequence, tokens, 6}}), "step: rows stand at positions 6..8, their sequence has pages for 8");
  EXPECT_EQ(message({{&sequence, tokens, -1}}), "step: rows stand at positions -1..1, their sequence has pages for 8");
  EXPECT_EQ(message({{&sequence, tokens, 0, 4}}), "step: asks for the logits of 4 of 3 rows");
  EXPECT_EQ(message({{&sequence, tokens, 0}, {&stranger, tokens, 0}}), "step: its sequences lie in different pools");
}

TEST(StepRows, AllocateNothingAgain) {
  Exec exec;
  HostArrays arrays;
  PagePool pool(kLayers, 4, 1000);
  PagedSequence sequence(pool);
  sequence.reserve(4000);
  const std::vector<int32_t> tokens(3000, 1);
  const SequenceRows run{&sequence, tokens, 900};
  for (int i = 0; i < 2; ++i) make_step_rows(exec, arrays, {&run, 1});
  const int64_t allocations = arrays.allocations();
  make_step_rows(exec, arrays, {&run, 1});
  EXPECT_EQ(arrays.allocations(), allocations);
}

}  // namespace
}  // namespace eyrie
