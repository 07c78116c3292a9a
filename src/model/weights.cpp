#include "model/weights.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/random.h"
#include "tensor/finite.h"

namespace eyrie {
namespace {

constexpr int64_t kSamples = 8, kSampleBytes = 64;

// Evenly spread over the tensor, the first and the last bytes among them.
uint64_t mix_sample(uint64_t hash, const ConstTensor& tensor) {
  const auto* bytes = static_cast<const char*>(tensor.data);
  const int64_t span = std::min(kSampleBytes, tensor.bytes()), last = tensor.bytes() - span;
  for (int64_t i = 0; i < kSamples; ++i)
    hash = mix_hash(hash, hash_name({bytes + last / (kSamples - 1) * i, static_cast<size_t>(span)}));
  return hash;
}

}  // namespace

const ConstTensor* WeightStorage::find(std::span<const std::string> names) const {
  for (const std::string& name : names)
    if (const ConstTensor* found = files_.find(name)) return found;
  return nullptr;
}

ConstTensor WeightStorage::take(std::span<const std::string> names, const Shape& expected) {
  const std::string place = files_.directory() + ": " + names.front();
  const ConstTensor* found = find(names);
  if (!found)
    throw Error(ErrorKind::file, place, fmt::format("missing tensor; expected one of shape {}", to_string(expected)));
  try {
    expect_dtype("", *found, {DType::f32, DType::bf16, DType::f16});
    expect_shape("", *found, expected);
  } catch (const Error& error) {
    throw Error(ErrorKind::file, place, error.what());
  }
  if (const std::string problem = why_not_finite(*found); !problem.empty()) {
    const std::string& name = *std::ranges::find_if(names, [&](const auto& each) { return files_.find(each); });
    throw Error(ErrorKind::file, files_.file_of(name) + ": " + name, problem);
  }
  if (found->rank() > 1) return *found;
  return copies_.emplace_back(Buffer::copy_of(*found, DType::f32));
}

std::string fingerprint(const WeightFiles& files) {
  uint64_t hash = 0;
  for (const auto& [name, tensor] : files.tensors()) {
    hash = mix_hash(hash, hash_name(fmt::format("{} {} {}", name, eyrie::name(tensor.dtype), to_string(tensor.shape))));
    hash = mix_sample(hash, tensor);
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace eyrie
