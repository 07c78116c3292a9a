// app/mask/glyphs.h: the characters of a block mask's picture as dots; a PNG has no text of its own.
#pragma once
#include <array>
#include <cstdint>

namespace eyrie {

inline constexpr int kGlyphColumns = 5, kGlyphRows = 8, kGlyphAscent = 7;  // rows above the base line
using Glyph = std::array<uint8_t, kGlyphRows>;  // a row each, from the top; bit 4 is the leftmost dot

Glyph glyph_of(char character);  // blank for one that has none

}  // namespace eyrie
