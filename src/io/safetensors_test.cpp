#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/random.h"
#include "base/time.h"
#include "tensor/buffer.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

using testing::read_bytes;
using testing::TemporaryDirectory;
using testing::write_bytes;

std::string with_header(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

// The message of the error that opening these bytes gives, without the path; empty when they open.
std::string error_of(const std::string& bytes) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("x.safetensors");
  write_bytes(path, bytes);
  try {
    SafetensorsFile::open(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file);
    const std::string message = error.what();
    EXPECT_EQ(message.rfind(path + ": ", 0), 0u) << message;
    return message.substr(path.size() + 2);
  }
  return "";
}

std::string error_of_header(const std::string& header, size_t data_bytes) {
  return error_of(with_header(header, std::string(data_bytes, '\0')));
}

void expect_same(const ConstTensor& found, const ConstTensor& expected) {
  ASSERT_EQ(found.dtype, expected.dtype);
  ASSERT_EQ(found.shape, expected.shape);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(found.data) % static_cast<uintptr_t>(size_bytes(found.dtype)), 0u);
  EXPECT_EQ(std::memcmp(found.data, expected.data, static_cast<size_t>(found.bytes())), 0);
}

// One tensor of each dtype, with ragged sizes, filled with bytes from a seed.
std::vector<std::pair<std::string, Buffer>> tensors_of_every_dtype() {
  std::vector<std::pair<std::string, Buffer>> tensors;
  RandomStream random("safetensors");
  int64_t size = 3;
  for (const DType dtype : {DType::boolean, DType::bf16, DType::u8, DType::i64, DType::f16, DType::f32, DType::i32}) {
    tensors.emplace_back(name(dtype), Buffer(dtype, {size++, 5, 1}));
    auto* bytes = static_cast<unsigned char*>(tensors.back().second.tensor().data);
    for (int64_t i = 0; i < tensors.back().second.tensor().bytes(); ++i) bytes[i] = random.below(2) != 0;
  }
  tensors.emplace_back("scalar", Buffer::zeros(DType::f32, {}));
  tensors.emplace_back("none", Buffer(DType::f32, {0, 4}));
  return tensors;
}

std::vector<NamedTensor> named(const std::vector<std::pair<std::string, Buffer>>& tensors) {
  std::vector<NamedTensor> list;
  for (const auto& [name, buffer] : tensors) list.push_back({name, buffer});
  return list;
}

TEST(Safetensors, RoundTrip) {
  const TemporaryDirectory directory;
  const auto tensors = tensors_of_every_dtype();
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"note", "\"quoted\" \xc3\xa9"}};
  write_safetensors(directory.file("x"), named(tensors), metadata);
  const SafetensorsFile file = SafetensorsFile::open(directory.file("x"));
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_EQ(file.tensors().size(), tensors.size());
  for (const auto& [name, buffer] : tensors) expect_same(file.at(name), buffer);
  EXPECT_LT(file.at("i64").data, file.at("f32").data);  // wider types first
  EXPECT_LT(file.at("f16").data, file.at("bool").data);
  EXPECT_EQ(file.find("absent"), nullptr);
  EXPECT_THROW(file.at("absent"), Error);
}

// A byte tensor comes first and the header's length is anything: the floats are not where the processor wants them.
TEST(Safetensors, ReadsWhatAnotherWriterLaidOut) {
  const TemporaryDirectory directory;
  std::string header =
      R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})";
  const float values[] = {1.5f, -2.0f};
  for (int padding = 0; padding < 4; ++padding, header += ' ') {
    write_bytes(directory.file("x"), with_header(header, "\7" + std::string(reinterpret_cast<const char*>(values), 8)));
    const SafetensorsFile file = SafetensorsFile::open(directory.file("x"));
    EXPECT_EQ(file.at("b").as<uint8_t>()[0], 7);
    expect_same(file.at("f"), ConstTensor(values, DType::f32, {2}));
  }
}

TEST(Safetensors, EmptyFileOfTensors) { EXPECT_EQ(error_of_header("{}", 0), ""); }

TEST(Safetensors, HeaderThatLies) {
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  EXPECT_EQ(error_of_header(one("F32", "[2,3]", "[0,24]"), 24), "");
  const std::pair<std::string, std::string> kCases[] = {
      {"", "not a safetensors file: 0 bytes, expected at least 8"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8),
       "not a safetensors file: header of 18446744073709551615 bytes, expected at most 100000000"},
      {std::string("\x10\0\0\0\0\0\0\0{}", 10), "truncated: header of 16 bytes, found 2"},
      {with_header(one("F32", "[2,3]", "[0,24]"), std::string(23, '\0')),
       "tensor w: data_offsets [0, 24] lie outside the 23 bytes of data (truncated?)"},
      {with_header(one("F32", "[2,3]", "[0,24]"), std::string(25, '\0')),
       "the tensors end at byte 24 of the data, found 25 bytes"},
      {with_header(one("F32", "[2,3]", "[0,20]"), std::string(20, '\0')),
       "tensor w: data_offsets: F32 [2, 3] needs 24 bytes, found [0, 20]"},
      {with_header(one("F32", "[2,3]", "[24,0]"), std::string(24, '\0')),
       "tensor w: data_offsets: F32 [2, 3] needs 24 bytes, found [24, 0]"},
      {with_header(one("F32", "[2,3]", "[-24,0]"), std::string(24, '\0')), "an integer from 0 to"},
      {with_header(one("F32", "[2,3]", "[0,24,48]"), std::string(24, '\0')),
       "tensor w: data_offsets: expected two numbers, found 3"},
      {with_header(one("F32", "[4294967296,4294967296,4]", "[0,0]"), ""), "F32 [4294967296, 4294967296, 4] needs more"},
      {with_header(one("F32", "[2,-3]", "[0,24]"), std::string(24, '\0')), "an integer from 0 to"},
      {with_header(one("F32", "[2,1.5]", "[0,24]"), std::string(24, '\0')), "expected an integer, found 1.5"},
      {with_header(one("F8_E4M3", "[2]", "[0,3]"), "ab"), "data_offsets [0, 3] lie outside the 2 bytes"},
      {with_header(one("F8_E4M3", "[2]", "[2,0]"), "ab"), "tensor w: data_offsets: F8_E4M3 [2] needs"},
      {with_header(R"({"w":{"dtype":"U8","shape":[1]}})", "a"), "missing key \"data_offsets\""},
      {with_header("[]", ""), "expected an object, found []"},
      {with_header("{", ""), "malformed JSON"},
      {with_header(R"({"w":3})", ""), "tensor w: expected an object, found 3"},
      {with_header(R"({"__metadata__":{"n":3}})", ""), "__metadata__: expected a string, found 3"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4976698672\n",
       "is a Git LFS pointer: git lfs pull"},
      {"<html><head><title>401 Unauthorized</title></head></html>", "is a web page"},
  };
  for (const auto& [bytes, expected] : kCases) {
    const std::string found = error_of(bytes);
    EXPECT_NE(found.find(expected), std::string::npos) << "expected: " << expected << "\nfound: " << found;
  }
}

// Whatever a tensor is that nobody asks for, the ones beside it are read; who asks for it is told what it is.
TEST(Safetensors, OtherTensorsTroubleNobody) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("x");
  for (const std::string other :
       {R"("F8_E4M3","shape":[4])", R"("F8_E5M2","shape":[4])", R"("F8_E8M0","shape":[2,2])", R"("F64","shape":[1])",
        R"("I8","shape":[4])", R"("I16","shape":[2])", R"("U16","shape":[2])", R"("U32","shape":[1])",
        R"("F4","shape":[8])", R"("C64","shape":[0])", R"("unheard of","shape":[7])",
        R"("F32","shape":[1,1,1,1,1,1])"}) {
    write_bytes(path, with_header(R"({"__metadata__":null,"q":{"dtype":)" + other + R"(,"data_offsets":[0,4]},)" +
                                      R"("w":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}})",
                                  "abcde"));
    const SafetensorsFile file = SafetensorsFile::open(path);
    EXPECT_EQ(file.at("w").as<uint8_t>()[0], 'e');
    EXPECT_EQ(file.find("q"), nullptr);
    EXPECT_EQ(std::string(file.others().at("q").bytes.begin(), file.others().at("q").bytes.end()), "abcd");
    EXPECT_THROW(file.at("q"), Error);
  }
}

TEST(Safetensors, TensorsThatOverlapLeaveAGapOrRepeat) {
  const auto two = [](const std::string& second, const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a + R"(},")" + second +
           R"(":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}";
  };
  EXPECT_EQ(error_of_header(two("b", "[4,8]", "[0,4]"), 8), "");
  EXPECT_EQ(error_of_header(two("b", "[0,4]", "[3,7]"), 7),
            "tensor b: data_offsets begin at 3, expected 4 where the tensor before it ends");
  EXPECT_EQ(error_of_header(two("b", "[0,4]", "[5,9]"), 9),
            "tensor b: data_offsets begin at 5, expected 4 where the tensor before it ends");
  EXPECT_EQ(error_of_header(two("a", "[0,4]", "[4,8]"), 8), "header: key \"a\" stands twice in one object");
}

TEST(Safetensors, WriterRefusesWhatItCannotWrite) {
  const TemporaryDirectory directory;
  const Buffer matrix = Buffer::zeros(DType::f32, {4, 4});
  ConstTensor column = matrix;
  column.shape.dims[1] = 1;
  EXPECT_THROW(write_safetensors(directory.file("x"), std::vector<NamedTensor>{{"w", column}}), Error);
  EXPECT_THROW(write_safetensors(directory.file("x"), std::vector<NamedTensor>{{"w", matrix}, {"w", matrix}}), Error);
  EXPECT_THROW(write_safetensors(directory.file("x"), std::vector<NamedTensor>{{"__metadata__", matrix}}), Error);
}

// Flips, cuts, doubles or replaces a few bytes, most of them in the header.
std::string mutated(std::string bytes, size_t header_bytes, RandomStream& random) {
  const size_t changes = 1 + random.below(4);
  for (size_t i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t at = random.below(random.below(10) == 0 ? bytes.size() : std::min(bytes.size(), header_bytes));
    const uint64_t kind = random.below(6);
    if (kind == 0) bytes[at] = static_cast<char>(random.below(256));
    if (kind == 1) bytes[at] ^= static_cast<char>(1 << random.below(8));
    if (kind == 2) bytes[at] = "0123456789[]{},:\"-.e"[random.below(20)];
    if (kind == 3) bytes.resize(at);
    if (kind == 4) bytes.erase(at, 1 + random.below(8));
    if (kind == 5) bytes.insert(at, bytes.substr(at, 1 + random.below(60)));
  }
  return bytes;
}

// Whatever the bytes, opening gives tensors that can be read to their last byte, or Error.
TEST(Safetensors, MutatedFiles) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("x");
  write_safetensors(path, named(tensors_of_every_dtype()), {{"format", "pt"}});
  const std::string whole = read_bytes(path);
  const size_t header_bytes = static_cast<unsigned char>(whole[0]) + static_cast<unsigned char>(whole[1]) * 256u + 8;
  RandomStream random("MutatedFiles");
  int opened = 0, refused = 0;
  for (const Stopwatch watch; opened + refused < 20'000 && watch.seconds() < 2;) {
    std::filesystem::remove(path);  // writing over it would wait for the disk
    write_bytes(path, mutated(whole, header_bytes, random));
    try {
      const SafetensorsFile file = SafetensorsFile::open(path);
      unsigned sum = 0;
      for (const auto& [name, tensor] : file.tensors())
        for (int64_t i = 0; i < tensor.bytes(); ++i) sum += static_cast<const unsigned char*>(tensor.data)[i];
      EXPECT_LT(sum, 255 * whole.size());
      ++opened;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::file) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(opened, 0);  // else nothing behind the JSON was reached
  EXPECT_GT(refused, opened);
}

}  // namespace
}  // namespace eyrie
