#include <gtest/gtest.h>

#include <filesystem>

#include "io/safetensors.h"
#include "tensor/buffer.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

using testing::TemporaryDirectory;
using testing::write_bytes;

void write_shard(const TemporaryDirectory& directory, const std::string& file,
                 std::initializer_list<const char*> names) {
  const Buffer values = Buffer::zeros(DType::f32, {2});
  std::vector<NamedTensor> tensors;
  for (const char* name : names) tensors.push_back({name, values});
  write_safetensors(directory.file(file), tensors);
}

void write_index(const TemporaryDirectory& directory, const std::string& weight_map) {
  write_bytes(directory.file("model.safetensors.index.json"), R"({"metadata":{},"weight_map":{)" + weight_map + "}}");
}

std::string error_of(const TemporaryDirectory& directory) {
  try {
    WeightFiles::open(directory.path());
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file);
    return error.what();
  }
  return "";
}

TEST(WeightFiles, OneFileShardsOrAnyFile) {
  const TemporaryDirectory directory;
  write_shard(directory, "part-b.safetensors", {"b"});
  write_shard(directory, "part-a.safetensors", {"a", "a2"});
  EXPECT_EQ(WeightFiles::open(directory.path()).tensors().size(), 3u);
  write_index(directory, R"("a":"part-a.safetensors","a2":"part-a.safetensors")");
  EXPECT_EQ(WeightFiles::open(directory.path()).tensors().size(), 2u);
  write_shard(directory, "model.safetensors", {"only"});
  const WeightFiles weights = WeightFiles::open(directory.path());
  EXPECT_NE(weights.find("only"), nullptr);
  EXPECT_EQ(weights.find("a"), nullptr);
}

TEST(WeightFiles, IndexThatLies) {
  const TemporaryDirectory directory;
  const std::string index = directory.file("model.safetensors.index.json");
  write_shard(directory, "one.safetensors", {"a"});
  write_shard(directory, "two.safetensors", {"b"});
  write_index(directory, R"("a":"one.safetensors","c":"three.safetensors")");
  EXPECT_EQ(error_of(directory), index + ": names the shard three.safetensors, which is missing");
  write_index(directory, R"("a":"two.safetensors","b":"two.safetensors")");
  EXPECT_EQ(error_of(directory), directory.file("two.safetensors") + ": missing tensor a");
  write_index(directory, R"("a":"../one.safetensors")");
  EXPECT_EQ(error_of(directory), index + ": tensor a: expected a file name, found \"../one.safetensors\"");
  write_bytes(index, "{}");
  EXPECT_EQ(error_of(directory), index + ": missing key \"weight_map\"");
  write_shard(directory, "two.safetensors", {"b", "a"});
  write_index(directory, R"("a":"one.safetensors","b":"two.safetensors")");
  EXPECT_EQ(error_of(directory),
            directory.file("two.safetensors") + ": tensor a stands in " + directory.file("one.safetensors") + " too");
}

TEST(WeightFiles, IntegersOfAnyType) {
  const std::pair<const char*, std::vector<int64_t>> cases[] = {{R"("I64","shape":[1])", {-1}},
                                                                {R"("I32","shape":[2])", {-1, -1}},
                                                                {R"("U32","shape":[2])", {0xffffffff, 0xffffffff}},
                                                                {R"("I16","shape":[4])", {-1, -1, -1, -1}},
                                                                {R"("U16","shape":[4])", {65535, 65535, 65535, 65535}},
                                                                {R"("I8","shape":[8])", std::vector<int64_t>(8, -1)},
                                                                {R"("U8","shape":[8])", std::vector<int64_t>(8, 255)}};
  for (const auto& [type, expected] : cases) {
    const TemporaryDirectory directory;
    const std::string header = R"({"m":{"dtype":)" + std::string(type) + R"(,"data_offsets":[0,8]}})";
    const uint64_t length = header.size();
    write_bytes(directory.file("model.safetensors"),
                std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(8, '\xff'));
    EXPECT_EQ(WeightFiles::open(directory.path()).integers("m"), expected) << type;
  }
  const TemporaryDirectory directory;
  write_shard(directory, "model.safetensors", {"m"});
  EXPECT_THROW(WeightFiles::open(directory.path()).integers("m"), Error);
}

TEST(WeightFiles, PicklesAreRefusedWithTheLineThatConvertsThem) {
  const TemporaryDirectory directory;
  EXPECT_EQ(error_of(directory), directory.path() +
                                     ": expected model.safetensors, model.safetensors.index.json or "
                                     "other *.safetensors, found none");
  write_bytes(directory.file("training_args.bin"), "x");
  EXPECT_NE(error_of(directory).find("found none"), std::string::npos);
  write_bytes(directory.file("pytorch_model-2.bin"), "x");
  write_bytes(directory.file("pytorch_model-1.bin"), "x");
  const std::string message = error_of(directory);
  EXPECT_NE(message.find("pytorch_model-1.bin is a pickle"), std::string::npos) << message;
  EXPECT_NE(message.find("for file in ['pytorch_model-1.bin', 'pytorch_model-2.bin'] "), std::string::npos) << message;
  EXPECT_EQ(error_of(TemporaryDirectory()).find("pickle"), std::string::npos);
  EXPECT_THROW(WeightFiles::open(directory.file("absent")), Error);
}

}  // namespace
}  // namespace eyrie
