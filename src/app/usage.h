// app/usage.h: what the command line says to people: help that fits 80 columns, and the word they may have meant.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

// The known word that the fewest changed, left out or added letters turn `word` into; empty where none is near enough
// to be meant (a third of its letters; swapped neighbours count as one).
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

// "; did you mean X?", or empty.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

// One entry of a help text: the name, and the description from column `indent` on in lines of at most `width`
// characters. A name that is too long for its column has the first line alone.
std::string help_entry(std::string_view name, std::string_view description, size_t indent, size_t width);

// How the help of a command ends: one example, which works in Eyrie's own directory (each behind those before it in
// the list of usage.cpp), and where the words are explained.
std::string help_footer(std::string_view command);

}  // namespace eyrie
