// app/usage.h: what the command line says to people: help that fits 80 columns.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace eyrie {

// One entry of a help text: the name, and the description from column `indent` on in lines of at most `width`
// characters. A name that is too long for its column has the first line alone.
std::string help_entry(std::string_view name, std::string_view description, size_t indent, size_t width);

// How the help of a command ends: one example, which works in Eyrie's own directory (each behind those before it in
// the list of usage.cpp), and where the words are explained.
std::string help_footer(std::string_view command);

}  // namespace eyrie
