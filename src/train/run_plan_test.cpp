// What a dry run of a step finds: the FLOPs counted by hand, the memory that the step then takes.
#include "train/run_plan.h"

#include <fmt/ranges.h>

#include <set>

#include "train/run_fixture.h"
#include "train/ttt_step.h"

namespace eyrie {
namespace {

double product(int64_t rows, int64_t in, int64_t out) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
}

double layer_flops(const DecoderConfig& layer, int64_t query_rows, int64_t key_rows) {
  const int64_t q_width = layer.q_heads * layer.head_dim, kv_width = layer.kv_heads * layer.head_dim;
  return product(query_rows, layer.input_width, q_width) + product(key_rows, layer.input_width, 2 * kv_width) +
         product(query_rows, q_width, layer.hidden) + 3 * product(query_rows, layer.hidden, layer.intermediate);
}

TEST_F(RunTest, ADryRunCountsTheFlopsOfTheStep) {
  const TrainOptions o = options("run");
  const auto inputs = load_inputs(o);
  const DraftConfig& config = inputs->state.draft.config;
  const PackedBatch batch = inputs->train->tokens(0, 1);
  const Supervision rule = supervise(batch.loss_mask, batch.cu_seqlens, o.ttt_steps);
  const int64_t rows = rule.rows(), prefix = std::ssize(rule.prefix_token), depths = rule.depths;
  std::set<int32_t> teachers;
  double keys = 0, target_keys = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const auto i = static_cast<size_t>(r);
    for (int32_t k = 0; k <= rule.row_last_depth[i]; ++k) teachers.insert(rule.row_token[i] + 1 + k);
    keys += static_cast<double>(depths * (rule.row_token[i] - rule.row_start[i] + 1) + depths * (depths - 1) / 2);
  }
  for (size_t s = 1; s < batch.cu_seqlens.size(); ++s) {
    const double length = batch.cu_seqlens[s] - batch.cu_seqlens[s - 1];
    target_keys += length * (length + 1) / 2;
  }
  // Backward of a product is two more of it, of attention 5/2; below fc nothing wants a gradient.
  const DecoderConfig& layer = config.decoder;
  WorkShares expected;
  expected[Work::fc] = 2 * product(prefix, config.taps() * config.target_hidden, layer.hidden);
  expected[Work::layer] =
      3 * (layer_flops(layer, rows, prefix) + static_cast<double>(depths - 1) * layer_flops(layer, rows, rows));
  expected[Work::attention] = 14 * keys * static_cast<double>(layer.q_heads * layer.head_dim);
  expected[Work::loss] = product(std::ssize(teachers), config.target_hidden, config.vocabulary);
  for (const int64_t supervised : rule.rows_at_depth)
    expected[Work::loss] += 3 * product(supervised, layer.hidden, config.draft_vocabulary);
  const TargetConfig& target = inputs->target->config;
  const DecoderConfig& below = target.decoder;
  expected[Work::target] =
      static_cast<double>(target.layers) * (layer_flops(below, batch.tokens(), batch.tokens()) +
                                            4 * target_keys * static_cast<double>(below.q_heads * below.head_dim));
  const StepPlan plan = plan_step(o, *inputs, 1);
  for (size_t kind = 0; kind < kWorkNames.size(); ++kind)
    EXPECT_DOUBLE_EQ(plan.flops.of[kind], expected.of[kind]) << kWorkNames[kind];
}

TEST_F(RunTest, ADryRunTakesWhatTheStepTakes) {
  for (const std::string norm : {"step", "micro-batch"}) {
    TrainOptions o = options("run");
    o.normalize = norm;
    const auto inputs = load_inputs(o);
    const StepPlan plan = plan_step(o, *inputs, 0);
    const PackedBatch batch = inputs->train->tokens(0, 0);
    const Supervision rule = supervise(batch.loss_mask, batch.cu_seqlens, o.ttt_steps);
    Exec exec;
    begin_training(exec, inputs->state);
    HostArrays arrays;
    const TargetStates states = take_states(exec, inputs->state.draft.config, batch.tokens());
    EXPECT_EQ(exec.scratch.most_bytes(), plan.state_bytes);
    inputs->train->read_states(exec, 0, 0, batch, states.taps, states.last_hidden);
    ttt_step(exec, arrays, {inputs->state.draft, inputs->heads.lm_head},
             {batch.input_ids, states.taps, states.last_hidden, rule}, {.normalize = find_normalize(norm)},
             &inputs->state.gradients.tensors);
    const int64_t taken = exec.scratch.most_bytes(), planned = plan.state_bytes + plan.step_bytes;
    EXPECT_GE(taken, planned);
    EXPECT_LT(taken, planned + (1 << 20)) << "what the ops take for themselves";
  }
}

// Long with few rows, short with many, and in between the largest: whatever comes first, it is planned.
TEST_F(RunTest, ThePlansStepIsTheLargestBatchs) {
  std::ofstream file(directory / "data.jsonl");
  for (const auto& [tokens, supervised] : {std::pair{70, 5}, {40, 35}, {65, 30}}) {
    std::vector<int> ids(tokens, 7), mask(tokens, 0);
    std::fill_n(mask.rbegin(), supervised, 1);
    file << fmt::format("{{\"input_ids\": {}, \"loss_mask\": {}}}\n", ids, mask);
  }
  file.close();
  for (uint64_t seed = 0; seed < 8; ++seed) {
    TrainOptions o = options("run");
    o.seed = seed;
    const auto inputs = load_inputs(o);
    ASSERT_EQ(inputs->train->batches(0), 3);
    int64_t most = 0;
    for (int64_t i = 0; i < 3; ++i) {
      const StepPlan one = plan_step(o, *inputs, i);
      most = std::max(most, one.state_bytes + one.step_bytes);
    }
    const StepPlan step = plan_training(o, *inputs).step;
    EXPECT_EQ(step.state_bytes + step.step_bytes, most) << "seed " << seed;
  }
}

TEST(Plan, AnExecForADryRunHasNoMemory) {
  Exec exec = Exec::plan();
  const Tensor huge = exec.scratch.take(DType::f32, {int64_t{1} << 40});
  zero(exec, huge);
  EXPECT_EQ(exec.scratch.most_bytes(), int64_t{1} << 42);
  EXPECT_EQ(exec.scratch.reserved_bytes(), 0);
}

}  // namespace
}  // namespace eyrie
