#include "model/weights.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/random.h"
#include "tensor/finite.h"

namespace eyrie {
namespace {

constexpr int64_t kSamples = 8, kSampleBytes = 64;

// Evenly spread over the tensor, the first and the last bytes among them.
uint64_t mix_sample(uint64_t hash, const void* data, int64_t count) {
  const auto* bytes = static_cast<const char*>(data);
  const int64_t span = std::min(kSampleBytes, count), last = count - span;
  for (int64_t i = 0; i < kSamples; ++i)
    hash = mix_hash(hash, hash_name({bytes + last / (kSamples - 1) * i, static_cast<size_t>(span)}));
  return hash;
}

}  // namespace

std::string WeightStorage::find(std::span<const std::string> names) const {
  const auto found = std::ranges::find_if(names, [&](const std::string& name) { return files_.holds(name); });
  return found == names.end() ? "" : *found;
}

ConstTensor WeightStorage::take(std::span<const std::string> names, const Shape& expected) {
  const std::string place = files_.directory() + ": " + names.front(), name = find(names);
  if (name.empty())
    throw Error(ErrorKind::file, place, fmt::format("missing tensor; expected one of shape {}", to_string(expected)));
  const ConstTensor* found = files_.find(name);
  if (!found)
    throw Error(ErrorKind::file, place,
                fmt::format("expected f32, bf16 or f16, found {}", files_.others().at(name).dtype));
  try {
    expect_dtype("", *found, {DType::f32, DType::bf16, DType::f16});
    expect_shape("", *found, expected);
  } catch (const Error& error) {
    throw Error(ErrorKind::file, place, error.what());
  }
  if (const std::string problem = why_not_finite(*found); !problem.empty())
    throw Error(ErrorKind::file, files_.file_of(name) + ": " + name, problem);
  taken_.insert(name);
  return found->rank() > 1 ? *found : keep(Buffer::copy_of(*found, DType::f32));
}

std::optional<std::vector<int64_t>> WeightStorage::take_integers(std::span<const std::string> names) {
  const std::string name = find(names);
  if (name.empty()) return std::nullopt;
  taken_.insert(name);
  return files_.integers(name);
}

std::vector<std::string> WeightStorage::unread() const {
  std::vector<std::string> names;
  const auto look_at = [&](const std::string& name) {
    if (!taken_.contains(name)) names.push_back(name);
  };
  for (const auto& [name, tensor] : files_.tensors()) look_at(name);
  for (const auto& [name, tensor] : files_.others()) look_at(name);
  std::ranges::sort(names);
  return names;
}

std::string fingerprint(const WeightFiles& files) {
  uint64_t hash = 0;
  for (const auto& [name, tensor] : files.tensors()) {
    hash = mix_hash(hash, hash_name(fmt::format("{} {} {}", name, eyrie::name(tensor.dtype), to_string(tensor.shape))));
    hash = mix_sample(hash, tensor.data, tensor.bytes());
  }
  for (const auto& [name, other] : files.others()) {
    hash = mix_hash(hash, hash_name(fmt::format("{} {} [{}]", name, other.dtype, fmt::join(other.shape, ", "))));
    hash = mix_sample(hash, other.bytes.data(), static_cast<int64_t>(other.bytes.size()));
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace eyrie
