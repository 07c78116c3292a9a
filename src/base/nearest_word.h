// base/nearest_word.h: the word that was meant.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

// The known word that the fewest changed, left out or added letters turn `word` into; empty where none is near enough
// to be meant (a third of its letters; swapped neighbours count as one).
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

// "; did you mean X?", or empty.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace eyrie
