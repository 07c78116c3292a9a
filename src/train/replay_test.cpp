// Every step dump of tests/data/ttt against the fp64 step of tools/vectors_ttt_oracle.py, which knows no row
// compaction.
#include "train/replay.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "io/safetensors.h"
#include "testing/compare.h"
#include "testing/temporary_directory.h"
#include "train/initial_draft.h"
#include "train/step_dump.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;
using testing::compare;
using testing::Comparison;

const fs::path kCases = fs::path(EYRIE_SOURCE_DIR) / "tests/data/ttt";

struct Vector {
  std::string name;
  Normalize normalize;
};

std::vector<Vector> vectors() {
  std::vector<Vector> list;
  for (const auto& entry : fs::directory_iterator(kCases))
    for (const Normalize normalize : {Normalize::step, Normalize::micro_batch})
      if (entry.is_directory()) list.push_back({entry.path().filename(), normalize});
  std::sort(list.begin(), list.end(), [](const Vector& a, const Vector& b) { return a.name < b.name; });
  return list;
}

void PrintTo(const Vector& vector, std::ostream* out) { *out << vector.name << " " << name(vector.normalize); }

Replay replay_case(const std::string& case_name, Normalize normalize, std::vector<std::string> attention) {
  Exec exec;
  ReplayOptions options;
  options.directory = kCases / case_name;
  options.attention = std::move(attention);
  options.normalize = normalize;
  return replay(exec, options);
}

void expect_values(const SafetensorsFile& expected, const char* name, const std::vector<double>& found) {
  const ConstTensor& tensor = expected.at(name);
  ASSERT_EQ(tensor.elements(), static_cast<int64_t>(found.size())) << name;
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    if (tensor.dtype == DType::i64) {
      EXPECT_EQ(static_cast<int64_t>(found[static_cast<size_t>(i)]), tensor.as<int64_t>()[i]) << name << " at " << i;
    } else {
      const double wanted = tensor.as<float>()[i];
      EXPECT_NEAR(found[static_cast<size_t>(i)], wanted, 1e-5 * std::max(std::abs(wanted), 1.0)) << name << " at " << i;
    }
  }
}

template <typename Value>
std::vector<double> of_depths(const StepFigures& figures, Value value) {
  std::vector<double> list;
  for (const DepthFigures& depth : figures.depths) list.push_back(static_cast<double>(value(depth)));
  return list;
}

template <typename Value>
std::vector<double> of_chains(const StepFigures& figures, Value value) {
  std::vector<double> list;
  for (const AcceptStatistics& walked : figures.walked) list.push_back(static_cast<double>(value(walked)));
  return list;
}

void expect_figures(const SafetensorsFile& expected, const ReplayRun& run) {
  const StepFigures& figures = run.figures;
  expect_values(expected, "loss", {run.loss});
  expect_values(expected, "grad_norm", {run.grad_norm});
  expect_values(expected, "step_loss", of_depths(figures, [](const DepthFigures& d) { return d.loss(); }));
  expect_values(expected, "step_accuracy", of_depths(figures, [](const DepthFigures& d) { return d.accuracy(); }));
  expect_values(expected, "oov_share", of_depths(figures, [](const DepthFigures& d) { return d.oov_share(); }));
  expect_values(expected, "accept_probability",
                of_depths(figures, [](const DepthFigures& d) { return d.accept_probability(); }));
  expect_values(expected, "supervised_rows", of_depths(figures, [](const DepthFigures& d) { return d.supervised; }));
  expect_values(expected, "in_vocabulary_rows",
                of_depths(figures, [](const DepthFigures& d) { return d.in_vocabulary; }));
  expect_values(expected, "walked_tokens", of_chains(figures, [](const AcceptStatistics& w) { return w.tokens(); }));
  expect_values(expected, "walked_cycles",
                of_chains(figures, [](const AcceptStatistics& w) { return w.verify_steps(); }));
  expect_values(expected, "walked_accept_length",
                of_chains(figures, [](const AcceptStatistics& w) { return w.accept_length(); }));
}

class ReplayVectors : public ::testing::TestWithParam<Vector> {};

TEST_P(ReplayVectors, AgreeWithTheIndependentStep) {
  const auto& [case_name, normalize] = GetParam();
  const SafetensorsFile expected =
      SafetensorsFile::open(kCases / case_name / fmt::format("expected.{}.safetensors", name(normalize)));
  const Replay found = replay_case(case_name, normalize, {"auto", "dense"});
  ASSERT_EQ(found.runs.size(), 2u);
  EXPECT_NE(found.runs[0].attention, "auto") << "the backend that ran";
  for (const ReplayRun& run : found.runs) expect_figures(expected, run);
  for (const TensorDifference& one : found.runs[1].differences) EXPECT_LE(one.relative_l2, 5e-6) << one.tensor;

  const testing::TemporaryDirectory directory;  // the two normalisations of a case may run side by side
  const std::string path = directory.file("replay.safetensors");
  write_replay(path, found);
  const SafetensorsFile written = SafetensorsFile::open(path);
  size_t gradients = 0;
  for (const auto& [tensor_name, tensor] : expected.tensors()) {
    if (!tensor_name.starts_with("grad")) continue;
    ++gradients;
    const Comparison comparison =
        compare(tensor_name, written.at(tensor_name), tensor, {.relative_l2 = 5e-5, .row = 3e-4});
    EXPECT_TRUE(comparison.passed()) << comparison.text();
  }
  EXPECT_EQ(written.tensors().size(), gradients + 3) << "loss, step_loss and step_accuracy beside the gradients";
  fs::remove(path);
}

INSTANTIATE_TEST_SUITE_P(Cases, ReplayVectors, ::testing::ValuesIn(vectors()), [](const auto& vector) {
  std::string text = vector.param.name + "_" + std::string(name(vector.param.normalize));
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

TEST(Replay, VectorsAreThere) { EXPECT_GE(vectors().size(), 20u); }

// The batch of a case under a random draft with heads of 32: those of the cases are too narrow for tiles.
void write_wide_dump(const std::string& case_name, const std::string& directory, int64_t n_k = 40) {
  const FeatureBatch batch = read_features(kCases / case_name / "batch.safetensors");
  TargetHeads heads;
  heads.lm_head = batch.file.at("target.lm_head.weight");
  if (const ConstTensor* embedding = batch.file.find("target.embed_tokens.weight")) heads.embedding = *embedding;
  Draft draft = load_draft(kCases / case_name / "draft", heads);
  draft.config.decoder.head_dim = 32;
  const Parameters random = initial_draft({draft.config, draft.vocabulary, /*seed=*/7, InitialHead::random, {}, {}});
  draft.tensors = views(draft.config, random);
  const Buffer taps = Buffer::copy_of(batch.taps, DType::f32), last = Buffer::copy_of(batch.last_hidden, DType::f32);
  const std::vector<int64_t> step_rows(7, n_k);
  write_step_dump(directory, {draft, heads, batch.tokens, taps, last, batch.info, {.step_rows = step_rows}, "none"});
}

TEST(Replay, EveryBackendGivesTheSameGradients) {
  const testing::TemporaryDirectory directory;
  write_wide_dump("plain", directory.file("dump"));
  const std::vector<std::string> backends = {"dense", "fused", "merge", "masked"};
  Exec exec;
  const Replay found = replay(exec, {.directory = directory.file("dump"), .attention = backends});
  ASSERT_EQ(found.runs.size(), backends.size());
  for (size_t i = 0; i < backends.size(); ++i) {
    const ReplayRun& run = found.runs[i];
    EXPECT_EQ(run.attention, backends[i]);
    EXPECT_NEAR(run.loss, found.runs[0].loss, 1e-6 * found.runs[0].loss);
    EXPECT_NEAR(run.grad_norm, found.runs[0].grad_norm, 1e-6 * found.runs[0].grad_norm);
    for (const TensorDifference& one : run.differences)
      EXPECT_LE(one.relative_l2, 5e-6) << run.attention << ", " << one.tensor;
  }
}

TEST(Replay, SettingsComeFromTheDumpUnlessNamed) {
  const Replay plain = replay_case("plain", Normalize::step, {"auto"});
  EXPECT_EQ(plain.ttt_steps, 7);
  EXPECT_EQ(plain.loss_decay, 0.8);
  Exec exec;
  const Replay fewer =
      replay(exec, {.directory = kCases / "plain", .normalize = {}, .ttt_steps = 2, .loss_decay = 0.5});
  EXPECT_EQ(fewer.ttt_steps, 2);
  EXPECT_NEAR(fewer.loss_decay, 0.5, 0);
  EXPECT_NEAR(fewer.runs[0].figures.depths[1].loss(), plain.runs[0].figures.depths[1].loss(), 1e-6)
      << "a depth does not see later ones";
}

// A step has its batch's rows at least.
TEST(Replay, CountsOfNoStepAreRefused) {
  const testing::TemporaryDirectory directory;
  Exec exec;
  for (const int64_t n_k : {int64_t{0}, int64_t{5}, int64_t{1} << 62}) {
    const std::string dump = directory.file(fmt::format("dump{}", n_k));
    write_wide_dump("plain", dump, n_k);
    try {
      replay(exec, {.directory = dump});
      ADD_FAILURE() << n_k;
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_TRUE(what.starts_with(dump + "/batch.safetensors: n_k[0]: expected ")) << what;
      EXPECT_TRUE(what.ends_with(fmt::format("found {}", n_k))) << what;
    }
  }
}

TEST(Replay, HoldsItsLossAgainstTheRecordedOne) {
  Exec exec;
  ReplayOptions options;
  options.directory = kCases / "plain";
  Replay same = replay(exec, options);
  EXPECT_EQ(same.why_not_compared, "");
  EXPECT_NO_THROW(expect_recorded_loss(options, same));
  *same.recorded_loss *= 1.01;
  EXPECT_THROW(expect_recorded_loss(options, same), Error);
  options.loss_decay = 0.5;
  const Replay other = replay(exec, options);
  EXPECT_EQ(other.why_not_compared, "it is of other settings");
  EXPECT_NO_THROW(expect_recorded_loss(options, other));
}

TEST(Replay, RefusesWhatIsNotADump) {
  Exec exec;
  EXPECT_THROW(replay(exec, {.directory = kCases / "no-such-case"}), Error);
  EXPECT_THROW(replay(exec, {.directory = kCases / "plain", .attention = {"magic"}}), Error);
  EXPECT_THROW(replay(exec, {.directory = kCases / "plain", .ttt_steps = 8}), Error) << "n_k names seven depths";
  EXPECT_EQ(
      replay(exec, {.directory = kCases / "plain", .normalize = Normalize::micro_batch, .ttt_steps = 8}).ttt_steps, 8)
      << "which counts rows itself";
}

}  // namespace
}  // namespace eyrie
