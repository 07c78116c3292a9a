#include "base/random.h"

#include <cmath>
#include <numbers>

namespace eyrie {

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  auto word = [](uint64_t value, int index) { return static_cast<uint32_t>(value >> (32 * index)); };
  std::array<uint32_t, 4> x = {word(counter_low, 0), word(counter_low, 1), word(counter_high, 0),
                               word(counter_high, 1)};
  uint32_t key0 = word(key, 0), key1 = word(key, 1);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * x[0], product1 = kMultiplier1 * x[2];
    x = {word(product1, 1) ^ x[1] ^ key0, word(product1, 0), word(product0, 1) ^ x[3] ^ key1, word(product0, 0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return x;
}

double philox_uniform(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  const auto x = philox(key, counter_low, counter_high);
  const uint64_t bits = (static_cast<uint64_t>(x[0]) << 32 | x[1]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

uint64_t mix_hash(uint64_t hash, uint64_t value) {
  const auto words = philox(hash, value);
  return words[0] | uint64_t{words[1]} << 32;
}

uint64_t RandomStream::next_u64() {
  const auto x = philox(key_, position_++);
  return static_cast<uint64_t>(x[0]) << 32 | x[1];
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

__extension__ typedef unsigned __int128 Wide;

uint64_t RandomStream::below(uint64_t bound) {
  return static_cast<uint64_t>((static_cast<Wide>(next_u64()) * bound) >> 64);
}

}  // namespace eyrie
