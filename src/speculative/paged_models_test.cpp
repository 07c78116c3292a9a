#include "speculative/paged_models.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "speculative/chain.h"
#include "speculative/draft_reference.h"
#include "speculative/tiny_models_fixture.h"
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

// The pages of one sequence and a draft on them.
class DraftOnPages {
 public:
  DraftOnPages(Exec& exec, const TinyModels& models, int64_t page_size, int64_t pages)
      : pool(cache_layers(models.target.config, &models.draft.config), page_size, pages),
        sequence(pool),
        draft(models.draft, {.rows = 16, .logits = 1}),
        exec_(exec) {}

  StepRows rows(std::span<const int32_t> tokens, int64_t first_position) {
    const SequenceRows run{&sequence, tokens, first_position, 1};
    return make_step_rows(exec_, arrays_, {&run, 1});
  }
  void extend(const TappedText& text, std::span<const int32_t> tokens, IndexRange slots) {
    draft.extend(exec_, rows(tokens, slots.begin), text.taps.tensor().slice(slots.begin, slots.end));
  }
  void step(int32_t token, int64_t slot) { draft.step(exec_, rows({&token, 1}, slot)); }

  PagePool pool;
  PagedSequence sequence;
  PagedDraft draft;

 private:
  Exec& exec_;
  HostArrays arrays_;
};

TappedText tapped_text(Exec& exec, const TinyModels& models, const std::vector<int64_t>& tap_ids) {
  TappedText text;
  RandomStream stream("text");
  for (int64_t i = 0; i < kTokens; ++i)
    text.tokens.push_back(static_cast<int32_t>(stream.below(static_cast<uint64_t>(models.target.config.vocabulary))));
  DraftOnPages on_pages(exec, models, 4, 11);
  on_pages.sequence.reserve(kTokens);
  DraftConfig config = models.draft.config;
  config.tap_ids = tap_ids;
  PagedTarget target(models.target, &config, {.rows = kTokens, .logits = 1});
  target.run(exec, on_pages.rows(text.tokens, 0));
  text.taps = Buffer::copy_of(target.taps());
  return text;
}

void expect_logits(const PagedDraft& draft, const testing::Vector& expected, const std::string& where) {
  const testing::Comparison comparison =
      testing::compare(where, draft.logits(), expected, {.relative_l2 = 1e-5, .row = 1e-4});
  ASSERT_TRUE(comparison.passed()) << comparison.text();
}

// Cycles with random chains and acceptance over a known text; every draft row's logits against a recomputation from
// nothing in fp64.
void run_cycles(const TinyOptions& options, const std::string& case_name) {
  SCOPED_TRACE(case_name);
  const TinyModels models = testing::make_tiny_models(case_name, options);
  Exec exec;
  const TappedText text = tapped_text(exec, models, options.tap_ids);
  RandomStream stream(case_name);
  DraftOnPages served(exec, models, 1 + static_cast<int64_t>(stream.below(5)), 60);
  auto extend = [&](IndexRange slots) {
    served.extend(text, tokens_taken(text.tokens, slots), slots);
    expect_logits(served.draft, testing::reference_logits(models.draft, text.taps, text.tokens, slots.end, {}),
                  case_name + " extended to " + std::to_string(slots.end));
  };

  int64_t known = 6;
  served.sequence.reserve(known - 1);
  extend({0, 3}), extend({3, known - 1});
  while (known < kTokens - 8) {
    const Cycle plan = verify_cycle(known, static_cast<int64_t>(stream.below(8)));
    served.sequence.reserve(plan.rows.end);
    std::vector<int32_t> chain;
    for (int64_t slot = plan.chain_slots().begin; slot < plan.chain_slots().end; ++slot) {
      chain.push_back(static_cast<int32_t>(stream.below(static_cast<uint64_t>(options.vocabulary))));
      served.step(chain.back(), slot);
      expect_logits(served.draft, testing::reference_logits(models.draft, text.taps, text.tokens, known - 1, chain),
                    case_name + " chain step " + std::to_string(chain.size()) + " at " + std::to_string(known));
    }
    const auto accepted = static_cast<int64_t>(stream.below(static_cast<uint64_t>(plan.chain) + 1));
    served.sequence.truncate(plan.extended_slots(accepted).end);
    extend(plan.extended_slots(accepted));
    known += accepted + 1;
  }
}

TEST(PagedDraft, EveryRowEqualsARecomputationInFp64) {
  run_cycles({}, "plain");
  run_cycles({.vocabulary = 11, .draft_vocabulary = 5}, "draft vocabulary");
  run_cycles({.tap_ids = {2}}, "one tap");
  run_cycles({.fc_norm = true}, "fc norm");
  run_cycles({.norm_before_fc = true}, "norm before fc");
  run_cycles({.norm_before_residual = true}, "norm before residual");
  run_cycles({.norm_output = true}, "norm output");
}

// What the rules protect from, each as the wrong thing done by hand.
TEST(PagedDraft, BrokenRulesChangeWhatItPredicts) {
  const TinyModels models = testing::make_tiny_models("broken rules");
  Exec exec;
  const TappedText text = tapped_text(exec, models, models.draft.config.tap_ids);
  const TappedText shifted = tapped_text(exec, models, {0, 0, 1});
  // Five slots from taps, two chain steps, all accepted; then slots 5..7 from real taps.
  const testing::Vector expected = testing::reference_logits(models.draft, text.taps, text.tokens, 8, {});
  const auto distance_after = [&](auto&& run) {
    DraftOnPages served(exec, models, 4, 20);
    served.sequence.reserve(20);
    run(served);
    return testing::compare("logits", served.draft.logits(), expected).relative_l2;
  };
  const auto extend = [&](DraftOnPages& served, const TappedText& from, IndexRange slots) {
    served.extend(from, tokens_taken(text.tokens, slots), slots);
  };
  const auto chain = [&](DraftOnPages& served) {
    extend(served, text, {0, 5});
    served.step(text.tokens[6], 5), served.step(text.tokens[7], 6);
  };
  EXPECT_LT(distance_after([&](DraftOnPages& served) { chain(served), extend(served, text, {5, 8}); }), 1e-5);
  // Without re-extension: slots 5 and 6 keep rows made from g.
  EXPECT_GT(distance_after([&](DraftOnPages& served) { chain(served), extend(served, text, {7, 8}); }), 1e-3);
  // A tap read one layer early.
  EXPECT_GT(distance_after([&](DraftOnPages& served) { extend(served, shifted, {0, 8}); }), 1e-2);
  // Slot i fed with token i instead of i+1.
  EXPECT_GT(distance_after([&](DraftOnPages& served) {
              served.extend(text, std::span(text.tokens).first(8), {0, 8});
            }),
            1e-2);
}

}  // namespace
}  // namespace eyrie
