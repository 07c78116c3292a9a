#include "text/byte_level.h"

#include "text/unicode.h"

namespace eyrie {
namespace {

constexpr bool stands_for_itself(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr uint32_t kFirstOther = 0x100;
constexpr uint32_t kOthers = 68;  // bytes that do not stand for themselves

struct ByteCharacters {
  std::array<char[2], 256> text{};
  std::array<uint8_t, 256> bytes{};  // UTF-8 length
  std::array<uint8_t, kOthers> byte_of_other{};
};

constexpr ByteCharacters make_byte_characters() {
  ByteCharacters table;
  uint32_t others = 0;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t point = byte;
    if (!stands_for_itself(byte)) {
      table.byte_of_other[others] = static_cast<uint8_t>(byte);
      point = kFirstOther + others++;
    }
    table.bytes[byte] = point < 0x80 ? 1 : 2;
    table.text[byte][0] = static_cast<char>(point < 0x80 ? point : 0xC0 | point >> 6);
    table.text[byte][1] = static_cast<char>(0x80 | (point & 0x3F));
  }
  return table;
}

constexpr ByteCharacters kCharacters = make_byte_characters();

}  // namespace

std::string_view character_of_byte(uint8_t byte) { return {kCharacters.text[byte], kCharacters.bytes[byte]}; }

std::optional<uint8_t> byte_of_character(uint32_t code_point) {
  if (code_point < 256 && stands_for_itself(code_point)) return static_cast<uint8_t>(code_point);
  if (code_point >= kFirstOther && code_point < kFirstOther + kOthers)
    return kCharacters.byte_of_other[code_point - kFirstOther];
  return std::nullopt;
}

std::optional<std::string> bytes_of_token(std::string_view token) {
  std::string bytes;
  for (size_t offset = 0; offset < token.size();) {
    const CodePoint point = code_point_at(token, offset);
    const auto byte = byte_of_character(point.value);
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
    offset += point.bytes;
  }
  return bytes;
}

}  // namespace eyrie
