#include "text/byte_level.h"

#include <array>

#include "text/unicode.h"

namespace eyrie {
namespace {

struct ByteCharacters {
  std::array<std::string, 256> character;
  std::array<int, 0x100 + 68> byte;  // [code point] -1: stands for none; 68 bytes do not stand for themselves
};

const ByteCharacters& byte_characters() {
  static const ByteCharacters table = [] {
    ByteCharacters made;
    made.byte.fill(-1);
    uint32_t next_other = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool stands_for_itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const uint32_t point = stands_for_itself ? byte : next_other++;
      append_utf8(made.character[byte], point);
      made.byte[point] = static_cast<int>(byte);
    }
    return made;
  }();
  return table;
}

}  // namespace

const std::string& character_of_byte(uint8_t byte) { return byte_characters().character[byte]; }

std::string bytes_of_token(std::string_view token) {
  const auto& byte_of = byte_characters().byte;
  std::string bytes;
  for (size_t offset = 0; offset < token.size();) {
    const CodePoint point = code_point_at(token, offset);
    if (point.value >= byte_of.size() || byte_of[point.value] < 0) return std::string(token);
    bytes += static_cast<char>(byte_of[point.value]);
    offset += point.bytes;
  }
  return bytes;
}

}  // namespace eyrie
