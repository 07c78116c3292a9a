// text/byte_level.h: GPT-2's printable character for every byte. Bytes that are printable in Latin-1 stand for
// themselves; the others, in order, for U+0100, U+0101, ...
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eyrie {

std::string_view character_of_byte(uint8_t byte);  // its UTF-8
std::optional<uint8_t> byte_of_character(uint32_t code_point);
// The bytes that a token's characters stand for; nothing when one stands for no byte.
std::optional<std::string> bytes_of_token(std::string_view token);

}  // namespace eyrie
