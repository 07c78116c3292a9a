// A step of a Llama-3.1-8B-shaped draft on a GPU: random weights, taps given, one sequence whose last tokens are
// supervised, seven depths.
#include <fmt/core.h>

#include <algorithm>

#include "base/time.h"
#include "model/rope_frequencies.h"
#include "testing/gpu_rate.h"
#include "train/train_cases.h"
#include "train/train_state.h"
#include "train/ttt_step.h"

namespace eyrie {
namespace {

struct StepShape {
  int64_t tokens, supervised;
};

DraftConfig draft_of_8b(int64_t tokens) {
  DraftConfig config;
  DecoderConfig& layer = config.decoder;
  layer.hidden = 4096, layer.input_width = 8192, layer.intermediate = 14336;
  layer.q_heads = 32, layer.kv_heads = 8, layer.head_dim = 128, layer.norm_eps = 1e-5f;
  layer.rope.theta = 5e5, layer.max_positions = tokens;
  config.target_hidden = 4096, config.vocabulary = 128256, config.draft_vocabulary = 32000;
  config.tap_ids = {1, 15, 28};
  return config;
}

class DeviceStep {
 public:
  DeviceStep(Exec& exec, const StepShape& shape) : exec_(exec), copies_(exec), arrays_(exec), clock_(exec) {
    Draft draft;
    draft.config = draft_of_8b(shape.tokens);
    const DraftConfig& config = draft.config;
    for (int64_t i = 0; i < config.draft_vocabulary; ++i)
      draft.vocabulary.d2t.push_back(i * config.vocabulary / config.draft_vocabulary - i);
    draft.rope = make_rope_table(config.decoder);
    embedding_ = normal("embedding", {config.vocabulary, 4096}, 0.02),
    lm_head_ = normal("lm_head", embedding_.tensor().shape, 0.02);
    taps_ = normal("taps", {shape.tokens, 3 * 4096}, 1), last_hidden_ = normal("last_hidden", {shape.tokens, 4096}, 1);
    make_weights(std::move(draft));
    for (int64_t t = 0; t < shape.tokens; ++t) ids_.push_back(static_cast<int32_t>(t * 7919 % config.vocabulary));
    std::vector<uint8_t> mask(ids_.size(), 0);
    std::fill(mask.end() - shape.supervised, mask.end(), uint8_t{1});
    const int32_t ends[] = {0, static_cast<int32_t>(shape.tokens)};
    supervision_ = supervise(mask, ends, 7);
    Exec plan = Exec::plan(exec.device, exec.activations);
    HostArrays planned(plan);
    WorkClock none(plan);
    start_ttt_step(plan, planned, {state_.draft, lm_head_}, {ids_, taps_, last_hidden_, supervision_}, {},
                   &state_.gradients.tensors, none);
    exec.scratch.reserve(plan.scratch.most_bytes());
  }

  // As the trainer takes it: one wait, before the update.
  void step(bool deterministic = false) {
    zero(exec_, state_.gradients.memory);
    const TttRun run =
        start_ttt_step(exec_, arrays_, {state_.draft, lm_head_, AttentionBackend::automatic, deterministic},
                       {ids_, taps_, last_hidden_, supervision_}, {}, &state_.gradients.tensors, clock_);
    const double norm = l2_norm(exec_, state_.draft.config, state_.gradients);
    const Stopwatch watch;
    run.outcome();
    apply_step(exec_, {}, norm, 1e-6, state_);
    idle_seconds = watch.seconds();
    clock_.lap(Work::optimizer);
    seconds = clock_.take();
  }

  double idle_seconds = 0;  // of the last step: the GPU waits for what the host makes of its results
  WorkShares seconds;       // of a step, the optimizer's of the one before

 private:
  Buffer normal(const char* name, const Shape& shape, double deviation) {
    Buffer made(exec_.activations, shape, exec_.device);
    testing::gpu_fill_normal(exec_, made, name, deviation);
    return made;
  }
  void make_weights(Draft draft) {
    state_.draft = std::move(draft);
    const DraftConfig& config = state_.draft.config;
    state_.weights = make_parameters(exec_, config), state_.working = make_parameters(exec_, config, exec_.activations);
    for (const Parameters* one : {&state_.weights, &state_.working})
      testing::gpu_fill_normal(exec_, one->memory, "weights", 0.02);
    state_.draft.tensors = working_views(config, state_.weights, state_.working);
    state_.draft.embedding = embedding_;
    begin_training(exec_, state_);
  }

  Exec& exec_;
  DeviceCopies copies_;
  HostArrays arrays_;
  WorkClock clock_;
  Buffer embedding_, lm_head_, taps_, last_hidden_;
  TrainState state_;
  std::vector<int32_t> ids_;
  Supervision supervision_;
};

void bench(const StepShape& shape, double load_seconds) {
  Exec exec(Device::cuda, DType::bf16);
  if constexpr (kHasCuda) {
    const int64_t free = cuda::free_memory_bytes();
    DeviceStep work(exec, shape);
    work.step();
    for (const Stopwatch watch; watch.seconds() < load_seconds;) work.step();
    const auto median_of = [&](int steps, bool deterministic) {
      std::vector<double> seconds;
      for (int i = 0; i < steps; ++i) {
        const Stopwatch watch;
        work.step(deterministic);
        seconds.push_back(watch.seconds());
      }
      exec.wait();
      std::ranges::sort(seconds);
      return seconds[seconds.size() / 2];
    };
    const double step = median_of(20, false);
    const double gib = static_cast<double>(free - cuda::free_memory_bytes()) / 0x1p30;
    fmt::print("{:>7} tokens, {:>5} supervised {:>9.1f} ms {:>8.0f} tokens/s {:>6.1f} GiB\n", shape.tokens,
               shape.supervised, step * 1e3, static_cast<double>(shape.tokens) / step, gib);
    for (size_t kind = 0; kind < kWorkNames.size(); ++kind)
      if (work.seconds.of[kind] > 0)
        fmt::print("  {:<30}{:>14.1f} ms{:>7.1f} %\n", kWorkNames[kind], work.seconds.of[kind] * 1e3,
                   100 * work.seconds.of[kind] / work.seconds.total());
    fmt::print("  {:<30}{:>14.2f} of a step\n", "deterministic", median_of(5, true) / step);
    fmt::print("  {:<30}{:>14.2f} % of a step\n", "the GPU waits for the host", 100 * work.idle_seconds / step);
    testing::print_kernels(exec, [&](Exec&) { work.step(); });
    std::fflush(stdout);
  }
}

}  // namespace

void bench_device_steps(std::string_view filter) {
  constexpr StepShape kShapes[] = {{4096, 2048},  {8192, 655},    {8192, 4096},  {8192, 8192},
                                   {16384, 8192}, {16384, 16384}, {32768, 16384}};
  double load_seconds = 30;  // until the clocks are those of work
  for (const StepShape& shape : kShapes) {
    const std::string name = fmt::format("train/{} of {}", shape.supervised, shape.tokens);
    if (name.find(filter) != std::string::npos) bench(shape, std::exchange(load_seconds, 3));
  }
}

}  // namespace eyrie
