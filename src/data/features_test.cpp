#include "data/features.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "tensor/buffer.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

Buffer random_buffer(const Shape& shape, DType dtype, std::string_view seed) {
  RandomStream stream(seed);
  Buffer values(DType::f32, shape);
  for (int64_t i = 0; i < shape.elements(); ++i) values.tensor().as<float>()[i] = static_cast<float>(stream.normal());
  return Buffer::copy_of(values, dtype);
}

const PackedBatch kBatch{{5, 6, 7, 8, 9}, {0, 1, 1, 0, 1}, {0, 3, 5}};

TEST(Features, WhatIsWrittenIsRead) {
  const Buffer taps = random_buffer({5, 12}, DType::bf16, "taps"), hidden = random_buffer({5, 4}, DType::f32, "hidden");
  const testing::TemporaryDirectory directory;
  const std::string path = directory.file("features.safetensors");
  write_features(path, {kBatch, taps, hidden}, {"abc", {1, 3, 4}, "def"});
  const FeatureBatch read = read_features(path);
  EXPECT_EQ(read.tokens.input_ids, kBatch.input_ids);
  EXPECT_EQ(read.tokens.loss_mask, kBatch.loss_mask);
  EXPECT_EQ(read.tokens.cu_seqlens, kBatch.cu_seqlens);
  EXPECT_EQ(read.info.target_fingerprint, "abc");
  EXPECT_EQ(read.info.tap_ids, (std::vector<int64_t>{1, 3, 4}));
  EXPECT_EQ(read.taps.dtype, DType::bf16);
  for (int64_t i = 0; i < 60; ++i) ASSERT_EQ(read.taps.as<bf16>()[i].bits, ConstTensor(taps).as<bf16>()[i].bits);
  for (int64_t i = 0; i < 20; ++i) ASSERT_EQ(read.last_hidden.as<float>()[i], ConstTensor(hidden).as<float>()[i]);
}

TEST(Features, ShapesThatDisagreeAreRefusedByName) {
  const Buffer taps = random_buffer({4, 12}, DType::f32, "taps"), hidden = random_buffer({5, 4}, DType::f32, "hidden");
  const testing::TemporaryDirectory directory;
  const std::string path = directory.file("misshapen.safetensors");
  write_features(path, {kBatch, taps, hidden}, {});
  try {
    read_features(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), path + ": aux_hidden_states: expected shape [5, any], found [4, 12]");
  }
}

TEST(Features, StatesThatAreNotFiniteAreRefusedByName) {
  const Buffer taps = random_buffer({5, 12}, DType::f32, "taps"), hidden = random_buffer({5, 4}, DType::bf16, "hidden");
  const testing::TemporaryDirectory directory;
  const std::string path = directory.file("features.safetensors");
  const auto error = [&] {
    write_features(path, {kBatch, taps, hidden}, {});
    try {
      read_features(path);
      return std::string();
    } catch (const Error& caught) {
      return std::string(caught.what());
    }
  };
  hidden.tensor().as<bf16>()[19] = to_bf16(-INFINITY);
  EXPECT_EQ(error(), path + ": last_hidden_states: expected finite values, found inf at [4, 3] (1 of 20 not finite)");
  taps.tensor().as<float>()[29] = NAN;
  EXPECT_EQ(error(), path + ": aux_hidden_states: expected finite values, found nan at [2, 5] (1 of 60 not finite)");
}

TEST(Features, OffsetsThatDoNotCoverTheTokensAreRefused) {
  const Buffer taps = random_buffer({5, 12}, DType::f32, "taps"), hidden = random_buffer({5, 4}, DType::f32, "hidden");
  const testing::TemporaryDirectory directory;
  const std::string path = directory.file("offsets.safetensors");
  for (const std::vector<int32_t>& offsets :
       std::vector<std::vector<int32_t>>{{}, {0}, {0, 3}, {1, 5}, {0, 6}, {0, 4, 3, 5}, {0, -1, 5}}) {
    const PackedBatch batch{kBatch.input_ids, kBatch.loss_mask, offsets};
    write_features(path, {batch, taps, hidden}, {});
    try {
      read_features(path);
      FAIL() << "accepted " << offsets.size();
    } catch (const Error& error) {
      EXPECT_TRUE(
          std::string(error.what()).starts_with(path + ": cu_seqlens: expected ascending offsets from 0 to 5, found ["))
          << error.what();
    }
  }
}

TEST(Features, ADirectoryWithoutFilesIsNamed) {
  EXPECT_THROW(feature_files("/nonexistent"), Error);
  EXPECT_THROW(feature_files(EYRIE_SOURCE_DIR), Error);
}

}  // namespace
}  // namespace eyrie
