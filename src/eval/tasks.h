// eval/tasks.h: problems with one right number, in the form of GSM8K: the expected answer ends in "#### N"
// (data/prompts reads them). An answer is right when the number behind its last "####" is the expected one.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace eyrie {

// The number behind the last "####", normalised: without thousands' commas, currency signs, leading and trailing zeros
// ("007.50" is "7.5", "-0" is "0"). Nothing when there is no number.
std::optional<std::string> final_answer(std::string_view text);

// False when either has no number.
bool exact_match(std::string_view found, std::string_view expected);

}  // namespace eyrie
