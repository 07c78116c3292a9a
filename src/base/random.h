// base/random.h: counter-based random numbers, Philox4x32-10 (Salmon et al., SC'11). No state but (key, counter): a
// draw can be repeated, skipped to, and never depends on which thread asks.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace eyrie {

// Ten rounds on the 128-bit counter (low, high) under a 64-bit key.
std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high = 0);

// [0, 1) with 53 bits from the first two words of philox(key, counter).
double philox_uniform(uint64_t key, uint64_t counter_low, uint64_t counter_high = 0);

// FNV-1a; a case, tensor or stream seeds its numbers by its name.
uint64_t hash_name(std::string_view name);
// A hash of what `hash` stands for and then `value`.
uint64_t mix_hash(uint64_t hash, uint64_t value);

// A stream of numbers for one purpose. Saving (key, position) and restoring them continues it exactly.
class RandomStream {
 public:
  explicit RandomStream(uint64_t key, uint64_t position = 0) : key_(key), position_(position) {}
  explicit RandomStream(std::string_view name) : RandomStream(hash_name(name)) {}
  uint64_t next_u64();
  double uniform();                // [0, 1)
  double normal();                 // mean 0, variance 1 (Box-Muller)
  uint64_t below(uint64_t bound);  // 0 .. bound-1, bound > 0
  uint64_t key() const { return key_; }
  uint64_t position() const { return position_; }

 private:
  uint64_t key_;
  uint64_t position_;
};

}  // namespace eyrie
