#include "attention/cost.h"

#include <gtest/gtest.h>

#include <set>

#include "attention/suffix_problem_cases.h"

namespace eyrie {
namespace {

// What the rows of a problem see, pair by pair.
struct Seen {
  double pairs = 0;  // of a row and a key of the prefix
  std::set<int64_t> keys;
  explicit Seen(const SuffixAttention& problem) {
    const int32_t *token = problem.token.as<int32_t>(), *start = problem.start.as<int32_t>();
    for (int64_t row = 0; row < problem.q.dim(0); ++row)
      for (int64_t key = 0; key < problem.prefix_k.dim(0); ++key)
        if (start[row] <= key && key <= token[row]) ++pairs, keys.insert(key);
  }
};

const SuffixShape kShapes[] = {{{40, 65, 2, 9}, 6, 2, 32, 3, RowChoice::every_third},
                               {{1, 1, 7}, 4, 4, 64, 0},
                               {{33}, 2, 1, 64, 2, RowChoice::last_half, 32}};

TEST(AttentionCost, ALoopMultipliesEveryPairAndMovesEachNumberOnce) {
  for (const SuffixShape& shape : kShapes) {
    const SuffixProblem made(shape.name(), shape);
    const SuffixAttention& problem = made.problem;
    const Seen seen(problem);
    Exec exec;
    const AttentionCost cost(exec, problem);
    const auto rows = static_cast<double>(problem.q.dim(0) * shape.q_heads);
    const auto k = static_cast<double>(shape.dim), v = static_cast<double>(problem.prefix_v.dim(2));
    for (int n = 0; n <= shape.depth; ++n) {
      const double pairs = shape.q_heads * seen.pairs + n * rows;
      const double keys = shape.kv_heads * (static_cast<double>(seen.keys.size()) + n * problem.q.dim(0));
      EXPECT_EQ(cost.forward(n).flops, 2 * pairs * (k + v)) << shape.name();
      EXPECT_EQ(cost.forward(n).bytes, 4 * (rows * (k + v + 1) + keys * (k + v))) << shape.name();
      // s, dq and dk as long as a key, dp and dv as a value; d_q's workspace and the keys' gradients are added to.
      EXPECT_EQ(cost.backward(n).flops, 2 * pairs * (3 * k + 2 * v)) << shape.name();
      EXPECT_EQ(cost.backward(n).bytes, 4 * (rows * (k + v + 2 + 2 * k) + keys * 3 * (k + v))) << shape.name();
    }
  }
}

// The same work in another order: what the launches of a call state together.
TEST(AttentionCost, PartsOfACallMultiplyWhatTheWholeDoes) {
  for (const SuffixShape& shape : kShapes) {
    const SuffixProblem made(shape.name(), shape);
    Exec exec;
    const AttentionCost cost(exec, made.problem);
    const int n = shape.depth;
    EXPECT_EQ(cost.forward(0).flops + cost.merge(n).flops, cost.forward(n).flops);
    const double delta = cost.prepare(0).flops;
    EXPECT_EQ(delta, 2.0 * static_cast<double>(made.d_o.elements()));
    EXPECT_EQ(cost.backward(0).flops + cost.prepare(n).flops - delta, cost.backward(n).flops);
    // Both kernels of dense find p and dp.
    EXPECT_EQ(cost.dense_rows().flops + cost.dense_keys().flops, cost.backward(n).flops + cost.forward(0).flops);
  }
}

TEST(AttentionCost, ADryRunCountsIt) {
  for (const SuffixShape& shape : kShapes) {
    SuffixProblem made(shape.name(), shape);
    Exec exec, dry = Exec::plan();
    const AttentionCost cost(exec, made.problem);
    const Tensor o = made.output_o("o"), lse = made.output_lse("lse");
    suffix_attention(dry, AttentionBackend::automatic, made.problem, o, lse);
    EXPECT_EQ(dry.flops, cost.forward(shape.depth).flops) << shape.name();
    dry.flops = 0;
    suffix_attention_backward(dry, AttentionBackend::automatic, made.problem, made.gradients("of", o, lse));
    EXPECT_EQ(dry.flops, cost.backward(shape.depth).flops) << shape.name();
  }
}

TEST(AttentionCost, NothingIsCountedUnlessTheStreamIsProfiled) {
  const SuffixProblem made(kShapes[0].name(), kShapes[0]);
  Exec exec;
  EXPECT_EQ(AttentionCost::of(exec, made.problem).forward(3).bytes, 0);
  cuda::Profile profile;
  exec.stream.profile = &profile;
  EXPECT_EQ(AttentionCost::of(exec, made.problem).forward(3).bytes, AttentionCost(exec, made.problem).forward(3).bytes);
}

}  // namespace
}  // namespace eyrie
