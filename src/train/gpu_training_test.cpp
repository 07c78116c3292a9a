// Training on a GPU beside training on the CPU, whose mathematics other tests hold to fp64.
#include <cmath>

#include "io/atomic_dir.h"
#include "io/json.h"
#include "testing/compare.h"
#include "testing/gpu.h"
#include "train/replay.h"
#include "train/run_fixture.h"
#include "train/run_plan.h"

namespace eyrie {
namespace {

const fs::path kDumps = fs::path(EYRIE_SOURCE_DIR) / "tests/data/ttt";
const std::string kFledgling = std::string(EYRIE_SOURCE_DIR) + "/assets/fledgling";

TEST(TrainingOnAGpu, WithoutOneTheReasonIsTheError) {
  const std::string reason = cuda::why_no_device();
  if (reason.empty()) GTEST_SKIP() << "there is a device";
  Exec exec;
  ReplayOptions options;
  options.directory = kDumps / "plain", options.device = Device::cuda;
  try {
    replay(exec, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device);
    EXPECT_EQ(error.what(), "cuda: " + reason);
  }
}

class GpuReplay : public testing::GpuTest {
 protected:
  // The largest relative difference of a gradient from the CPU's.
  static double largest_difference(const std::string& dump, DType dtype, Normalize normalize) {
    Exec exec;
    const Replay found =
        replay(exec, {.directory = dump, .device = Device::cuda, .dtype = dtype, .normalize = normalize});
    double largest = 0;
    for (const TensorDifference& one : found.runs.at(1).differences) largest = std::max(largest, one.relative_l2);
    for (size_t k = 0; k < found.runs[0].figures.depths.size(); ++k) {
      const DepthFigures &here = found.runs[0].figures.depths[k], &there = found.runs[1].figures.depths[k];
      EXPECT_EQ(there.supervised, here.supervised) << dump << " depth " << k;
      EXPECT_EQ(there.in_vocabulary, here.in_vocabulary) << dump << " depth " << k;
      if (dtype == DType::f32) {
        EXPECT_EQ(there.right, here.right) << dump << " depth " << k;
      }
    }
    return largest;
  }
};

TEST_F(GpuReplay, EveryDumpHasTheSameGradientsInF32) {
  for (const auto& dump : fs::directory_iterator(kDumps))
    for (const Normalize normalize : {Normalize::step, Normalize::micro_batch})
      if (dump.is_directory()) {
        EXPECT_LE(largest_difference(dump.path(), DType::f32, normalize), 1e-4) << dump;
      }
}

struct GpuRun : RunTest {
  void SetUp() override {
    const std::string reason = cuda::why_no_device();
    if (!reason.empty()) GTEST_SKIP() << "needs a device: " << reason;
  }
  TrainOptions fledgling(const std::string& output, int64_t steps) {
    TrainOptions made;
    made.model = kFledgling, made.data = kFledgling + "/conversations.jsonl";
    made.output = directory / output;
    made.draft_vocabulary = 1024, made.token_budget = 512, made.ttt_steps = 5, made.steps = steps;
    made.optimizer.learning_rate = 1e-3;
    return made;
  }
  TrainResult run(const TrainOptions& o) {
    const auto inputs = load_inputs(o);
    Exec exec(o.device, o.activations());
    return train(exec, o, *inputs, {});
  }
  static std::vector<Json> steps_of(const TrainOptions& o) {
    std::vector<Json> lines;
    for_each_json_line(o.output + "/metrics.jsonl", [&](const Json& line) {
      if (line.text("kind") == "train") lines.push_back(line);
    });
    return lines;
  }
  // The mean of a step's loss at each depth over the steps from `first` on.
  static std::vector<double> mean_losses(const TrainOptions& o, size_t first) {
    const std::vector<Json> lines = steps_of(o);
    std::vector<double> means(static_cast<size_t>(o.ttt_steps), 0);
    for (size_t i = first; i < lines.size(); ++i) {
      size_t k = 0;
      for (const Json& depth : lines[i].array("depths"))
        means[k++] += depth.number("loss") / static_cast<double>(lines.size() - first);
    }
    return means;
  }
  static void expect_same_checkpoint(const std::string& a, const std::string& b) {
    for (const char* name : {"/model.safetensors", "/optimizer.safetensors"})
      EXPECT_TRUE(read_file(a + name) == read_file(b + name)) << a << name;
  }
};

TEST_F(GpuRun, FiftyStepsOfFledglingLearnWhatTheCpuLearns) {
  const TrainOptions here = fledgling("cpu", 50);
  run(here);
  const std::vector<double> expected = mean_losses(here, 40);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    TrainOptions there = fledgling(std::string("cuda-") + name(dtype), 50);
    there.device = Device::cuda, there.dtype = dtype;
    run(there);
    const std::vector<double> found = mean_losses(there, 40);
    for (size_t k = 0; k < expected.size(); ++k)
      EXPECT_NEAR(found[k] / expected[k], 1, 5e-3) << name(dtype) << " depth " << k;
  }
}

TEST_F(GpuRun, ADumpedStepHasTheSameGradients) {
  TrainOptions o = fledgling("dumped", 8);
  o.dump_steps = {7};
  run(o);
  const std::string dump = o.output + "/dump-000007";
  Exec exec;
  for (const auto& [dtype, bound] : {std::pair(DType::f32, 1e-4), std::pair(DType::bf16, 1e-2)}) {
    const Replay found = replay(exec, {.directory = dump, .device = Device::cuda, .dtype = dtype});
    for (const TensorDifference& one : found.runs.at(1).differences)
      EXPECT_LE(one.relative_l2, bound) << name(dtype) << ' ' << one.tensor;
  }
}

TEST_F(GpuRun, DeterministicRunsAndTheirResumptionHaveTheSameBits) {
  TrainOptions once = fledgling("once", 12), again = fledgling("again", 12), broken = fledgling("broken", 12);
  for (TrainOptions* o : {&once, &again, &broken})
    o->device = Device::cuda, o->deterministic = true, o->checkpoint_every = 6;
  const std::string expected = run(once).checkpoint;
  expect_same_checkpoint(run(again).checkpoint, expected);
  {
    const auto inputs = load_inputs(broken);
    Exec exec(broken.device, broken.activations());
    std::atomic<bool> stop = false;
    const TrainHooks hooks{
        .progress = [&](const TrainProgress& p) { stop = p.step == 6; }, .generate = {}, .stop = &stop};
    EXPECT_THROW(train(exec, broken, *inputs, hooks), Error);
  }
  broken.resume = true;
  expect_same_checkpoint(run(broken).checkpoint, expected);
}

// The loss and the weights' gradients of some batches that share one step.
TEST_F(GpuRun, HowSequencesArePackedChangesNothing) {
  for (const auto& [dtype, bound] : {std::pair(DType::f32, 1e-5), std::pair(DType::bf16, 2e-3)}) {
    TrainOptions o = fledgling(std::string("packed-") + name(dtype), 1);
    o.device = Device::cuda, o.dtype = dtype;
    const auto inputs = load_inputs(o);
    Exec exec(o.device, o.activations());
    DeviceCopies copies(exec);
    inputs->train->send(copies);
    send_state(exec, copies, inputs->state);
    const DraftConfig& config = inputs->state.draft.config;
    const std::vector<TokenSequence>& sequences = inputs->data.sequences;
    const PackedBatch together = pack({&sequences[0], &sequences[1], &sequences[2]});
    const std::vector<int64_t> rows = supervise(together.loss_mask, together.cu_seqlens, o.ttt_steps).rows_at_depth;
    const auto gradients_of = [&](const std::vector<PackedBatch>& batches, double& loss) {
      const Parameters made = make_parameters(exec, config);
      HostArrays arrays(exec);
      for (const PackedBatch& batch : batches) {
        const ScratchScope scope(exec.scratch);
        const Supervision rule = supervise(batch.loss_mask, batch.cu_seqlens, o.ttt_steps);
        const TargetStates states = take_states(exec, config, batch.tokens());
        inputs->train->read_states(exec, 0, 0, batch, states.taps, states.last_hidden);
        loss += ttt_step(exec, arrays,
                         {inputs->state.draft, copies.of(inputs->heads.lm_head), AttentionBackend::automatic, true},
                         {batch.input_ids, states.taps, states.last_hidden, rule}, {.step_rows = rows}, &made.tensors)
                    .loss;
      }
      return read_parameters(exec, config, made);
    };
    double loss = 0, loss_apart = 0;
    const Parameters whole = gradients_of({together}, loss);
    const Parameters apart = gradients_of({pack({&sequences[2]}), pack({&sequences[0], &sequences[1]})}, loss_apart);
    EXPECT_NEAR(loss_apart / loss, 1, 1e-6) << name(dtype) << ": a row's loss has the same bits";
    const std::vector<NamedTensor> expected = named_tensors(config, whole), found = named_tensors(config, apart);
    for (size_t i = 0; i < found.size(); ++i) {
      const testing::Comparison one =
          testing::compare(found[i].name, found[i].tensor, expected[i].tensor, {.relative_l2 = bound, .row = 1});
      EXPECT_TRUE(one.passed()) << name(dtype) << ' ' << one.text();
    }
  }
}

TEST_F(GpuRun, AStepPlansWhatItTakes) {
  TrainOptions o = fledgling("planned", 1);
  o.device = Device::cuda;
  const auto inputs = load_inputs(o);
  const StepPlan plan = plan_step(o, *inputs, 0);
  const PackedBatch batch = inputs->train->tokens(0, 0);
  const Supervision rule = supervise(batch.loss_mask, batch.cu_seqlens, o.ttt_steps);
  Exec exec(o.device, o.activations());
  DeviceCopies copies(exec);
  inputs->train->send(copies);
  send_state(exec, copies, inputs->state);
  begin_training(exec, inputs->state);
  HostArrays arrays(exec);
  const TargetStates states = take_states(exec, inputs->state.draft.config, batch.tokens());
  EXPECT_EQ(exec.scratch.most_bytes(), plan.state_bytes);
  inputs->train->read_states(exec, 0, 0, batch, states.taps, states.last_hidden);
  ttt_step(exec, arrays, {inputs->state.draft, copies.of(inputs->heads.lm_head)},
           {batch.input_ids, states.taps, states.last_hidden, rule}, {}, &inputs->state.gradients.tensors);
  const auto planned = static_cast<double>(plan.state_bytes + plan.step_bytes);
  EXPECT_NEAR(static_cast<double>(exec.scratch.most_bytes()) / planned, 1, 0.03);
}

}  // namespace
}  // namespace eyrie
