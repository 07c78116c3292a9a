// train/run_fixture.h: for tests: whole runs on a small random target, from conversations and from captured features.
#pragma once
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "data/features.h"
#include "testing/temporary_directory.h"
#include "train/trainer.h"

namespace eyrie {

namespace fs = std::filesystem;

inline const std::string kTarget = std::string(EYRIE_SOURCE_DIR) + "/tests/data/models/llama-3.1";
inline constexpr int64_t kVocabulary = 131;

// `directory / "name"` is a path.
struct Directory : testing::TemporaryDirectory {
  std::string operator/(const std::string& name) const { return file(name); }
};

// Sequences that count up from a random token, so that there is something to learn; most of each is supervised.
inline void write_sequences(const std::string& path, int count) {
  RandomStream random(path.substr(path.rfind('/')));
  std::ofstream file(path);
  for (int i = 0; i < count; ++i) {
    std::string ids, mask;
    const uint64_t length = 8 + random.below(30), first = random.below(60);
    for (uint64_t t = 0; t < length; ++t) {
      ids += fmt::format("{}{}", t ? ", " : "", (first + t) % kVocabulary);
      mask += fmt::format("{}{}", t ? ", " : "", t >= 3 && t != 6 ? 1 : 0);
    }
    file << fmt::format("{{\"input_ids\": [{}], \"loss_mask\": [{}]}}\n", ids, mask);
  }
}

struct RunTest : ::testing::Test {
  RunTest() {
    write_sequences(directory / "data.jsonl", 12);
    write_sequences(directory / "held-out.jsonl", 4);
  }

  TrainOptions options(const std::string& output) {
    TrainOptions made;
    made.model = kTarget, made.data = directory / "data.jsonl", made.held_out = directory / "held-out.jsonl";
    made.output = directory / output;
    made.draft_vocabulary = 60, made.token_budget = 80, made.ttt_steps = 3, made.steps = 6, made.seed = 5;
    made.optimizer.learning_rate = 1e-2;
    return made;
  }

  TrainResult run(const TrainOptions& o, TrainHooks hooks = {}) {
    const auto inputs = load_inputs(o);
    Exec exec;
    return train(exec, o, *inputs, hooks);
  }

  // Trains until `step` and is stopped there.
  void run_until(const TrainOptions& o, int64_t step) {
    std::atomic<bool> stop = false;
    const TrainHooks hooks{
        .progress = [&](const TrainProgress& p) { stop = p.step == step; }, .generate = {}, .stop = &stop};
    try {
      run(o, hooks);
      FAIL() << "was not stopped";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
  }

  Directory directory;
};

// Features as captured give the run that the target gives.
struct FeatureRun : RunTest {
  // One file per batch; in file `poisoned` the taps are so large that the loss is not finite.
  void capture(const TrainOptions& from, const std::string& output, int64_t poisoned) {
    const auto inputs = load_inputs(from);
    fs::create_directories(output);
    Exec exec;
    for (int64_t i = 0; i < inputs->train->batches(0); ++i) {
      const PackedBatch tokens = inputs->train->tokens(0, i);
      const Buffer taps(DType::f32, {tokens.tokens(), 96}), last_hidden(DType::f32, {tokens.tokens(), 32});
      inputs->train->read_states(exec, 0, i, tokens, taps, last_hidden);
      if (i == poisoned) std::fill_n(taps.tensor().as<float>(), taps.tensor().elements(), 3e38f);
      write_features(output + "/" + feature_file_name(i), {tokens, taps, last_hidden}, inputs->info);
    }
  }

  TrainOptions with_features(const std::string& output, const std::string& features) {
    TrainOptions o = options(output);
    o.data = "", o.held_out = "", o.features = features;
    return o;
  }
};

}  // namespace eyrie
