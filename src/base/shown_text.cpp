#include "base/shown_text.h"

#include <algorithm>

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

// Those of ASCII, and the first byte of U+0080 .. U+009F, which some terminals obey.
bool is_control(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const auto next = static_cast<unsigned char>(at + 1 < text.size() ? text[at + 1] : 0);
  return byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0);
}

}  // namespace

std::string shown_text(std::string_view text, bool keep_lines) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string shown;
  for (size_t at = 0; at < text.size(); ++at) {
    if (!is_control(text, at) || (keep_lines && (text[at] == '\n' || text[at] == '\t'))) {
      shown += text[at];
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[at]);
    shown += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return without_stagings(std::move(shown));
}

}  // namespace eyrie
