#include "model/target.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "io/safetensors.h"
#include "model/weights.h"
#include "testing/compare.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;
using testing::Tolerance;

const fs::path kModels = fs::path(EYRIE_SOURCE_DIR) / "tests/data/models";

std::vector<fs::path> model_directories() {
  std::vector<fs::path> list;
  for (const auto& entry : fs::directory_iterator(kModels))
    if (fs::exists(entry.path() / "expected.safetensors")) list.push_back(entry.path());
  std::sort(list.begin(), list.end());
  return list;
}

// What transformers computed for a model of random weights (tests/data/README.md), and its inputs.
struct Expected {
  explicit Expected(const fs::path& directory) : file(SafetensorsFile::open(directory / "expected.safetensors")) {
    const ConstTensor& ids = file.at("input_ids");
    token_ids.assign(ids.as<int64_t>(), ids.as<int64_t>() + ids.dim(0));
    std::string text = file.metadata().at("tap_ids");
    std::replace_if(
        text.begin(), text.end(), [](char c) { return !std::isdigit(static_cast<unsigned char>(c)); }, ' ');
    std::istringstream stream(text);
    for (int64_t id; stream >> id;) tap_ids.push_back(id);
  }
  SafetensorsFile file;
  std::vector<int32_t> token_ids;
  std::vector<int64_t> tap_ids;
};

struct Outputs {
  Buffer taps, last_hidden, logits;
};

// Runs `tokens` as packed sequences that end at `ends`.
Outputs run(Exec& exec, const Target& target, const std::vector<int32_t>& tokens, const std::vector<int32_t>& ends,
            const std::vector<int64_t>& tap_ids) {
  const auto rows = static_cast<int64_t>(tokens.size()), hidden = target.config.decoder.hidden;
  Outputs out{Buffer(DType::f32, {rows, hidden * static_cast<int64_t>(tap_ids.size())}),
              Buffer(DType::f32, {rows, hidden}), Buffer(DType::f32, {rows, target.config.vocabulary})};
  forward_packed(exec, target,
                 {{tokens.data(), DType::i32, {rows}}, {ends.data(), DType::i32, {static_cast<int64_t>(ends.size())}}},
                 tap_ids, out.taps, out.last_hidden);
  target_logits(exec, target, out.last_hidden, out.logits);
  return out;
}

void expect_close(const std::string& name, const ConstTensor& found, const ConstTensor& expected) {
  const testing::Comparison comparison = testing::compare(name, found, expected, Tolerance{1e-5, 1e-5});
  EXPECT_TRUE(comparison.passed()) << comparison.text();
  ::testing::Test::RecordProperty(name, std::to_string(comparison.relative_l2));
}

TEST(Target, GivesWhatTransformersGives) {
  Exec exec;
  const auto directories = model_directories();
  ASSERT_FALSE(directories.empty()) << "no models in " << kModels;
  for (const fs::path& directory : directories) {
    SCOPED_TRACE(directory.filename().string());
    const Target target = load_target(directory);
    const Expected expected(directory);
    const Outputs out =
        run(exec, target, expected.token_ids, {0, static_cast<int32_t>(expected.token_ids.size())}, expected.tap_ids);
    const std::string name = directory.filename().string();
    expect_close(name + "/logits", out.logits, expected.file.at("logits"));
    expect_close(name + "/taps", out.taps, expected.file.at("taps"));
    expect_close(name + "/last_hidden", out.last_hidden, expected.file.at("last_hidden"));
  }
}

}  // namespace
}  // namespace eyrie
