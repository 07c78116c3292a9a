#include "base/shown_text.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace eyrie {
namespace {

std::string without_stagings(std::string text) {
  for (size_t at = 0; (at = text.find(kStagingInfix, at)) != std::string::npos;) {
    const size_t fresh = at + kStagingInfix.size() + kStagingUnique.size();
    if (text.compare(std::min(fresh, text.size()), kStagingFresh.size(), kStagingFresh) == 0)
      text.erase(at, fresh + kStagingFresh.size() - at);
    else
      ++at;
  }
  return text;
}

// The UTF-8 character that begins at `at`: its code point, how many bytes it has. 0 bytes: there is none.
std::pair<uint32_t, size_t> character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const size_t bytes = byte(0) < 0x80 ? 1 : byte(0) < 0xc2 ? 0 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (bytes < 2) return {byte(0), bytes};
  if (byte(0) > 0xf4 || at + bytes > text.size()) return {0, 0};
  uint32_t code = byte(0) & (0xffu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return {code, code < kLeast[bytes - 2] || code > 0x10ffff || surrogate ? 0 : bytes};
}

// What a terminal obeys (controls, also those of U+0080 to U+009F), and what reorders or hides the text around it.
bool is_shown(uint32_t code) {
  constexpr std::pair<uint32_t, uint32_t> kHidden[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x200b, 0x200b},
                                                       {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
                                                       {0xfeff, 0xfeff}};
  return std::ranges::none_of(kHidden, [&](auto range) { return code >= range.first && code <= range.second; });
}

}  // namespace

std::string shown_text(std::string_view text, bool keep_lines) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string shown;
  for (size_t at = 0; at < text.size();) {
    const auto [code, bytes] = character_at(text, at);
    const size_t whole = std::max<size_t>(bytes, 1);
    if (bytes > 0 && (is_shown(code) || (keep_lines && (code == '\n' || code == '\t')))) {
      shown += text.substr(at, bytes);
    } else {
      for (size_t i = at; i < at + whole; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        shown += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
      }
    }
    at += whole;
  }
  return without_stagings(std::move(shown));
}

}  // namespace eyrie
