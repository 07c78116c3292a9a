#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/core.h>
#include <pcre2.h>

#include <algorithm>

#include "base/error.h"
#include "io/json.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

// Backtracking allowed in one match: a floor, and a share for the text, because greedy \s* over a long run of spaces
// rightly gives back every one of them.
constexpr size_t kMatchSteps = 1'000'000;
constexpr size_t kMatchStepsPerByte = 16;
constexpr uint32_t kHeapKib = 256 * 1024;
constexpr size_t kLongestPattern = 64 * 1024;

std::string pcre2_message(int code) {
  PCRE2_UCHAR text[256];
  return pcre2_get_error_message(code, text, sizeof text) < 0 ? fmt::format("error {}", code)
                                                              : reinterpret_cast<char*>(text);
}

PCRE2_SPTR pcre2_text(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

template <auto function>
struct Free {
  void operator()(auto* made) const { function(made); }
};

std::shared_ptr<const pcre2_code> compile(const std::string& source) {
  const std::string pattern = oniguruma_to_pcre2(source);
  int problem = 0;
  PCRE2_SIZE offset = 0;
  const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  pcre2_code* code = pcre2_compile(pcre2_text(pattern), pattern.size(), options, &problem, &offset, nullptr);
  if (!code)
    throw Error(ErrorKind::file, "",
                fmt::format("pattern {}: {} (PCRE2: {})", source, pcre2_message(problem), pattern));
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without JIT the interpreter gives the same matches
  return {code, pcre2_code_free};
}

}  // namespace

Pattern Pattern::from_json(const Json& json) {
  if (const Json* text = json.find("String")) return literal(text->as_text());
  return regex(json.text("Regex"));
}

Pattern Pattern::literal(std::string text) {
  if (text.empty()) throw Error(ErrorKind::file, "", "an empty pattern");
  Pattern pattern;
  pattern.source_ = std::move(text);
  return pattern;
}

Pattern Pattern::regex(std::string_view oniguruma) {
  if (oniguruma.size() > kLongestPattern)
    throw Error(ErrorKind::file, "",
                fmt::format("a pattern of {} bytes: expected at most {}", oniguruma.size(), kLongestPattern));
  Pattern pattern;
  pattern.source_ = oniguruma;
  pattern.code_ = compile(pattern.source_);
  return pattern;
}

void Pattern::for_each_match(std::string_view text, const std::function<void(size_t, size_t)>& match) const {
  if (!code_) {
    for (size_t at = text.find(source_); at != text.npos; at = text.find(source_, at + source_.size()))
      match(at, at + source_.size());
    return;
  }
  if (text.empty()) return;
  const std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>> data(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  const std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>> context(
      pcre2_match_context_create(nullptr));
  const size_t steps = std::max(kMatchSteps, kMatchStepsPerByte * text.size());
  pcre2_set_match_limit(context.get(), static_cast<uint32_t>(std::min<size_t>(steps, UINT32_MAX)));
  pcre2_set_heap_limit(context.get(), kHeapKib);
  size_t last_end = SIZE_MAX;
  for (size_t from = 0; from <= text.size();) {
    const auto search = [&](uint32_t options) {
      return pcre2_match(code_.get(), pcre2_text(text), text.size(), from, options, data.get(), context.get());
    };
    int found = search(PCRE2_NO_UTF_CHECK);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = search(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) return;
    if (found < 0)
      throw Error(ErrorKind::input, "",
                  fmt::format("pattern {} behind byte {}: {}", source_, from, pcre2_message(found)));
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    const size_t begin = range[0], end = std::max(range[0], range[1]);
    if (begin == end && end == last_end) {
      from = end < text.size() ? end + code_point_at(text, end).bytes : text.size() + 1;
      continue;
    }
    match(begin, end);
    last_end = from = end;
  }
}

}  // namespace eyrie
