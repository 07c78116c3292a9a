// text/byte_level.h: GPT-2's printable character for every byte. Bytes that are printable in Latin-1 stand for
// themselves; the others, in order, for U+0100, U+0101, ...
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace eyrie {

const std::string& character_of_byte(uint8_t byte);
// The bytes that a token's characters stand for; the token itself when one stands for no byte.
std::string bytes_of_token(std::string_view token);

}  // namespace eyrie
