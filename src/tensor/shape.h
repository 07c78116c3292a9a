// tensor/shape.h: up to five dimensions, by value.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>

namespace eyrie {

inline constexpr int kMaxRank = 5;

struct Shape {
  int64_t dims[kMaxRank] = {};
  int rank = 0;

  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<int64_t> sizes) {
    for (const int64_t size : sizes) dims[rank++] = size;
  }
  constexpr int64_t operator[](int i) const { return dims[i]; }
  constexpr int64_t elements() const {
    int64_t product = 1;
    for (int i = 0; i < rank; ++i) product *= dims[i];
    return product;
  }
  friend constexpr bool operator==(const Shape& a, const Shape& b) {
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; ++i)
      if (a.dims[i] != b.dims[i]) return false;
    return true;
  }
};

std::string to_string(const Shape& shape);  // "[3, 4]"

}  // namespace eyrie
