#include "eval/tasks.h"

#include <algorithm>

namespace eyrie {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The longest number that `text` begins with, behind white space and currency signs: digits, commas, one point.
std::string leading_number(std::string_view text) {
  std::string number;
  bool digits = false, point = false;
  for (const char c : text) {
    if (is_digit(c)) {
      number += c;
      digits = true;
    } else if (c == '.' && !point) {
      number += c;
      point = true;
    } else if (c == '-' && number.empty()) {
      number += c;
    } else if (!(c == ',' && digits) && !((c == ' ' || c == '$' || c == '\t') && !digits)) {
      break;
    }
  }
  return digits ? number : "";
}

std::string without_idle_zeros(std::string number) {
  const bool negative = number.front() == '-';
  if (negative) number.erase(0, 1);
  if (number.find('.') != std::string::npos) {
    number.erase(number.find_last_not_of('0') + 1);
    if (number.back() == '.') number.pop_back();
  }
  number.erase(0, std::min(number.find_first_not_of('0'), number.size()));
  if (number.empty() || number.front() == '.') number.insert(number.begin(), '0');
  if (negative && number != "0") number.insert(number.begin(), '-');
  return number;
}

}  // namespace

std::optional<std::string> final_answer(std::string_view text) {
  constexpr std::string_view kMark = "####";
  const size_t mark = text.rfind(kMark);
  if (mark == std::string_view::npos) return std::nullopt;
  const std::string number = leading_number(text.substr(mark + kMark.size()));
  if (number.empty()) return std::nullopt;
  return without_idle_zeros(number);
}

bool exact_match(std::string_view found, std::string_view expected) {
  const std::optional<std::string> number = final_answer(found);
  return number && number == final_answer(expected);
}

}  // namespace eyrie
