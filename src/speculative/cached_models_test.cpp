#include "speculative/cached_models.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "speculative/chain.h"
#include "speculative/draft_reference.h"
#include "speculative/tiny_models.h"
#include "testing/compare.h"

namespace eyrie {
namespace {

using testing::TinyModels;
using testing::TinyOptions;

constexpr int64_t kTokens = 40;

// A random text, and the target's taps of every row of it.
struct TappedText {
  std::vector<int32_t> tokens;
  Buffer taps;
};

TappedText tapped_text(Exec& exec, TinyModels& models, std::span<const int64_t> tap_ids) {
  TappedText text;
  RandomStream stream("text");
  for (int64_t i = 0; i < kTokens; ++i)
    text.tokens.push_back(static_cast<int32_t>(stream.below(static_cast<uint64_t>(models.target.config.vocabulary))));
  PagePool pool(cache_layers(models.target.config, &models.draft.config), 4, 11);
  PagedSequence sequence(pool);
  sequence.reserve(kTokens);
  CachedTarget target(exec, models.target, sequence, tap_ids, kTokens, 1);
  target.run(text.tokens, 0);
  text.taps = Buffer::copy_of(target.taps());
  return text;
}

void expect_logits(CachedDraft& draft, const testing::Vector& expected, const std::string& where) {
  draft.best();
  const testing::Comparison comparison =
      testing::compare(where, draft.last_logits(), expected, {.relative_l2 = 1e-5, .row = 1e-4});
  ASSERT_TRUE(comparison.passed()) << comparison.text();
}

// Cycles with random chains and acceptance over a known text; every draft row's logits against a recomputation from
// nothing in fp64.
void run_cycles(const TinyOptions& options, const std::string& case_name) {
  SCOPED_TRACE(case_name);
  TinyModels models = testing::make_tiny_models(case_name, options);
  Exec exec;
  const TappedText text = tapped_text(exec, models, options.tap_ids);
  RandomStream stream(case_name);
  PagePool pool(cache_layers(models.target.config, &models.draft.config), 1 + static_cast<int64_t>(stream.below(5)),
                60);
  PagedSequence sequence(pool);
  CachedDraft draft(exec, models.draft, sequence, 16);
  auto extend = [&](IndexRange slots) {
    draft.extend(text.taps.tensor().slice(slots.begin, slots.end), tokens_taken(text.tokens, slots), slots.begin);
    expect_logits(draft, testing::reference_logits(models.draft, text.taps, text.tokens, slots.end, {}),
                  case_name + " extended to " + std::to_string(slots.end));
  };

  int64_t known = 6;
  sequence.reserve(known - 1);
  extend({0, 3}), extend({3, known - 1});
  while (known < kTokens - 8) {
    const Cycle plan{known, static_cast<int64_t>(stream.below(8))};
    sequence.reserve(plan.verify_rows().end);
    std::vector<int32_t> chain;
    for (int64_t slot = plan.chain_slots().begin; slot < plan.chain_slots().end; ++slot) {
      chain.push_back(static_cast<int32_t>(stream.below(static_cast<uint64_t>(options.vocabulary))));
      draft.step(chain.back(), slot);
      expect_logits(draft, testing::reference_logits(models.draft, text.taps, text.tokens, known - 1, chain),
                    case_name + " chain step " + std::to_string(chain.size()) + " at " + std::to_string(known));
    }
    const auto accepted = static_cast<int64_t>(stream.below(static_cast<uint64_t>(plan.chain) + 1));
    sequence.truncate(plan.extended_slots(accepted).end);
    extend(plan.extended_slots(accepted));
    known = plan.known_after(accepted);
  }
}

TEST(CachedDraft, EveryRowEqualsARecomputationInFp64) {
  run_cycles({}, "plain");
  run_cycles({.vocabulary = 11, .draft_vocabulary = 5}, "draft vocabulary");
  run_cycles({.tap_ids = {2}}, "one tap");
  run_cycles({.fc_norm = true}, "fc norm");
  run_cycles({.norm_before_fc = true}, "norm before fc");
  run_cycles({.norm_before_residual = true}, "norm before residual");
  run_cycles({.norm_output = true}, "norm output");
}

double distance(const ConstTensor& found, const testing::Vector& expected) {
  return testing::compare("logits", found, expected).relative_l2;
}

// What the rules protect from, each as the wrong thing done by hand.
TEST(CachedDraft, BrokenRulesChangeWhatItPredicts) {
  TinyModels models = testing::make_tiny_models("broken rules");
  Exec exec;
  const TappedText text = tapped_text(exec, models, models.draft.config.tap_ids);
  const TappedText shifted = tapped_text(exec, models, std::vector<int64_t>{0, 0, 1});
  auto logits_after = [&](auto&& run) {
    PagePool pool(cache_layers(models.target.config, &models.draft.config), 4, 20);
    PagedSequence sequence(pool);
    sequence.reserve(20);
    CachedDraft draft(exec, models.draft, sequence, 16);
    run(draft);
    draft.best();
    return Buffer::copy_of(draft.last_logits());
  };
  auto extend = [&](CachedDraft& draft, const TappedText& from, IndexRange slots) {
    draft.extend(from.taps.tensor().slice(slots.begin, slots.end), tokens_taken(text.tokens, slots), slots.begin);
  };
  // Five slots from taps, two chain steps, all accepted; then slots 5..7 from real taps.
  const testing::Vector expected = testing::reference_logits(models.draft, text.taps, text.tokens, 8, {});
  auto chain = [&](CachedDraft& draft) {
    extend(draft, text, {0, 5});
    draft.step(text.tokens[6], 5), draft.step(text.tokens[7], 6);
  };
  EXPECT_LT(distance(logits_after([&](CachedDraft& draft) {
                       chain(draft), extend(draft, text, {5, 8});
                     }),
                     expected),
            1e-5);
  // Without re-extension: slots 5 and 6 keep rows made from g.
  EXPECT_GT(distance(logits_after([&](CachedDraft& draft) {
                       chain(draft), extend(draft, text, {7, 8});
                     }),
                     expected),
            1e-3);
  // A tap read one layer early.
  EXPECT_GT(distance(logits_after([&](CachedDraft& draft) { extend(draft, shifted, {0, 8}); }), expected), 1e-2);
  // Slot i fed with token i instead of i+1.
  EXPECT_GT(distance(logits_after([&](CachedDraft& draft) {
                       draft.extend(text.taps.tensor().slice(0, 8), std::span(text.tokens).first(8), 0);
                     }),
                     expected),
            1e-2);
}

}  // namespace
}  // namespace eyrie
