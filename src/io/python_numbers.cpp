#include "io/python_numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace eyrie {
namespace {

// By JSON's grammar: which numbers there are, whatever their size.
bool is_json_number(std::string_view word) {
  size_t at = word.starts_with('-');
  const auto take = [&](std::string_view any) { return at < word.size() && any.find(word[at]) != any.npos && ++at; };
  const auto digits = [&] {
    const size_t begin = at;
    while (take("0123456789")) continue;
    return at - begin;
  };
  const size_t first = at, whole = digits();
  if (whole == 0 || (whole > 1 && word[first] == '0')) return false;
  if (take(".") && digits() == 0) return false;
  if (!take("eE")) return at == word.size();
  take("+-");
  return digits() > 0 && at == word.size();
}

std::optional<double> python_number(std::string_view word) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (word == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (word == "Infinity") return kInfinity;
  if (word == "-Infinity") return -kInfinity;
  if (!is_json_number(word)) return std::nullopt;
  const double value = std::strtod(std::string(word).c_str(), nullptr);
  return std::isinf(value) ? std::optional(value) : std::nullopt;
}

// Behind the string, or the run of characters that are neither quotes, brackets, commas, colons nor white space, or the
// one such character, that begins at `begin`.
size_t word_end(std::string_view text, size_t begin) {
  if (text[begin] != '"')
    return std::min(text.size(), std::max(begin + 1, text.find_first_of("\"[]{},: \t\r\n", begin)));
  size_t end = begin + 1;
  while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
  return std::min(text.size(), end + 1);
}

}  // namespace

PythonNumbers take_out_python_numbers(std::string_view text) {
  PythonNumbers out{.text = "", .marker = "1e0", .values = {}};
  while (text.find(out.marker) != std::string_view::npos) out.marker += '0';
  for (size_t at = 0, end = 0; at < text.size(); at = end) {
    end = word_end(text, at);
    const std::string_view word = text.substr(at, end - at);
    const std::optional<double> value = python_number(word);
    if (value) out.values.push_back(*value);
    out.text += value ? std::string_view(out.marker) : word;
  }
  return out;
}

}  // namespace eyrie
