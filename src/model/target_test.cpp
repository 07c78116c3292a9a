#include "model/target.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <sstream>

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
  HostArrays arrays;
  forward_packed(exec, arrays, target, {tokens, ends}, tap_ids, out.taps, out.last_hidden);
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

std::vector<int32_t> part(const std::vector<int32_t>& ids, int32_t begin, int32_t end) {
  return {ids.begin() + begin, ids.begin() + end};
}

TEST(Target, PackedSequencesDoNotSeeEachOther) {
  Exec exec;
  const fs::path directory = kModels / "llama-3.1";
  const Target target = load_target(directory);
  const Expected expected(directory);
  const auto tokens = static_cast<int32_t>(expected.token_ids.size());
  const std::vector<int32_t> ends = {0, 1, 1, 9, tokens};  // of one token and of none, too
  const Outputs packed = run(exec, target, expected.token_ids, ends, expected.tap_ids);
  for (size_t i = 0; i + 1 < ends.size(); ++i) {
    const int32_t begin = ends[i], end = ends[i + 1];
    const Outputs alone = run(exec, target, part(expected.token_ids, begin, end), {0, end - begin}, expected.tap_ids);
    const auto expect_same = [&](const char* name, const Buffer& found, const Buffer& whole) {
      const auto comparison = testing::compare(name, found, ConstTensor(whole.tensor().slice(begin, end)));
      EXPECT_TRUE(comparison.passed()) << comparison.text();
    };
    expect_same("logits", alone.logits, packed.logits);
    expect_same("taps", alone.taps, packed.taps);
  }
}

// Positions count from the start of a sequence, so a batch may be longer than the model's positions.
TEST(Target, ABatchMayBeLongerThanASequence) {
  Exec exec;
  const fs::path directory = kModels / "llama-2";
  const Target target = load_target(directory);
  const Expected expected(directory);
  std::vector<int32_t> ids, ends = {0};
  while (static_cast<int64_t>(ids.size()) <= target.config.decoder.max_positions) {
    ids.insert(ids.end(), expected.token_ids.begin(), expected.token_ids.end());
    ends.push_back(static_cast<int32_t>(ids.size()));
  }
  const Outputs out = run(exec, target, ids, ends, expected.tap_ids);
  expect_close("logits", out.logits.tensor().slice(ends[ends.size() - 2], ends.back()), expected.file.at("logits"));
}

// Rows handed over in two calls, keys kept in pages, as a server does.
TEST(Target, RowsMayComeInPieces) {
  Exec exec;
  const fs::path directory = kModels / "qwen3";
  const Target target = load_target(directory);
  const Expected expected(directory);
  const DecoderConfig& layer = target.config.decoder;
  const auto tokens = static_cast<int64_t>(expected.token_ids.size()), first = int64_t{9};
  std::vector<Buffer> memory;
  std::vector<PagedCache> pages;  // one of all tokens
  for (int64_t i = 0; i < target.config.layers; ++i) {
    const Shape shape = {1, tokens, layer.kv_heads, layer.head_dim};
    const Tensor k = memory.emplace_back(DType::f32, shape), v = memory.emplace_back(DType::f32, shape);
    pages.push_back({k, v});
  }
  std::vector<int32_t> positions(static_cast<size_t>(tokens)), zeros(static_cast<size_t>(tokens), 0);
  std::iota(positions.begin(), positions.end(), 0);
  const Buffer last_hidden(DType::f32, {tokens, layer.hidden});
  const auto run_rows = [&](int64_t begin, int64_t end) {
    const auto rows = [&](const std::vector<int32_t>& all) {
      return ConstTensor(all.data(), DType::i32, {tokens}).slice(begin, end);
    };
    const ConstTensor page_table(zeros.data(), DType::i32, {1, 1});
    target_forward(exec, target, PagedRows{pages, page_table, rows(zeros), rows(positions), rows(positions)},
                   {rows(expected.token_ids), rows(positions), {}, {}, last_hidden.tensor().slice(begin, end)});
  };
  run_rows(0, first);
  run_rows(first, tokens);
  expect_close("last_hidden", last_hidden, expected.file.at("last_hidden"));
}

TEST(Target, TapsInTheOrderAsked) {
  Exec exec;
  const fs::path directory = kModels / "llama-2";
  const Target target = load_target(directory);
  const std::vector<int32_t> ids = {5, 7, 11};
  const int64_t hidden = target.config.decoder.hidden;
  const Outputs one = run(exec, target, ids, {0, 3}, {4}), many = run(exec, target, ids, {0, 3}, {6, 4, 0, 4});
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t i = 0; i < hidden; ++i)
      for (const int64_t place : {1, 3})
        ASSERT_EQ(many.taps.tensor().as<float>()[row * 4 * hidden + place * hidden + i],
                  one.taps.tensor().as<float>()[row * hidden + i]);
}

TEST(Target, SaysWhichArgumentIsWrong) {
  Exec exec;
  const Target target = load_target(kModels / "llama-2");
  const auto error = [&](const std::vector<int32_t>& ids, const std::vector<int32_t>& ends,
                         const std::vector<int64_t>& tap_ids) -> std::string {
    try {
      run(exec, target, ids, ends, tap_ids);
    } catch (const Error& problem) {
      return problem.what();
    }
    return "";
  };
  EXPECT_EQ(error({1, 2, 3}, {0, 2}, {1}), "cu_seqlens: expected ascending offsets from 0 to 3, found [0, 2]");
  EXPECT_EQ(error({1, 2, 3}, {0, 2, 1, 3}, {1}),
            "cu_seqlens: expected ascending offsets from 0 to 3, found [0, 2, 1, 3]");
  EXPECT_EQ(error({1, 2, 3}, {0, 3}, {7}), "tap_ids: expected ids from 0 to 6, found 7");
  EXPECT_NE(error({1, 131, 3}, {0, 3}, {1}).find("131"), std::string::npos);  // outside the vocabulary
  EXPECT_NE(error({1, -1, 3}, {0, 3}, {1}).find("-1"), std::string::npos);
  EXPECT_EQ(error({}, {0}, {1}), "");
}

TEST(Target, AllocatesNothingOnceItHasRun) {
  Exec exec;
  const Target target = load_target(kModels / "mistral");
  const Expected expected(kModels / "mistral");
  const std::vector<int32_t> ends = {0, static_cast<int32_t>(expected.token_ids.size())};
  for (int i = 0; i < 2; ++i) run(exec, target, expected.token_ids, ends, expected.tap_ids);
  const int64_t growths = exec.scratch.growths();
  run(exec, target, expected.token_ids, ends, expected.tap_ids);
  EXPECT_EQ(exec.scratch.growths(), growths);
}

}  // namespace
}  // namespace eyrie
