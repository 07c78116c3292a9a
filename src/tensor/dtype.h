// tensor/dtype.h: element types, and the two 16-bit floats as plain storage. Arithmetic is fp32; only storage is
// narrower.
#pragma once
#include <bit>
#include <cstdint>

namespace eyrie {

enum class DType : uint8_t { f32, f16, bf16, i64, i32, u8, boolean };

struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};

constexpr int64_t size_bytes(DType dtype) {
  switch (dtype) {
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    default:
      return 1;
  }
}

constexpr const char* name(DType dtype) {
  constexpr const char* kNames[] = {"f32", "f16", "bf16", "i64", "i32", "u8", "bool"};
  return kNames[static_cast<int>(dtype)];
}

template <typename T>
constexpr DType kDType = DType::f32;
template <>
inline constexpr DType kDType<f16> = DType::f16;
template <>
inline constexpr DType kDType<bf16> = DType::bf16;
template <>
inline constexpr DType kDType<int64_t> = DType::i64;
template <>
inline constexpr DType kDType<int32_t> = DType::i32;
template <>
inline constexpr DType kDType<uint8_t> = DType::u8;
template <>
inline constexpr DType kDType<bool> = DType::boolean;

constexpr float to_float(float value) { return value; }
constexpr float to_float(bf16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

constexpr bf16 to_bf16(float value) {  // to nearest, ties to even; NaN stays NaN
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return {static_cast<uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

constexpr float to_float(f16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000) << 16, magnitude = value.bits & 0x7fff;
  if (magnitude >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  if (magnitude >= 0x400) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000));
  return (sign ? -1.0f : 1.0f) * static_cast<float>(magnitude) * 0x1p-24f;
}

constexpr f16 to_f16(float value) {  // to nearest, ties to even; beyond 65504 becomes infinity
  const uint32_t bits = std::bit_cast<uint32_t>(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<uint16_t>(sign | 0x7e00)};
  if (magnitude >= 0x477ff000) return {static_cast<uint16_t>(sign | 0x7c00)};
  if (magnitude >= 0x38800000) {
    const uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
    return {static_cast<uint16_t>(sign | rounded >> 13)};
  }
  // Adding 0.5 leaves the subnormal half's ten bits at the bottom of the sum, rounded by the fp32 adder.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
  return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5f)))};
}

}  // namespace eyrie
