// text/jinja/string_literal.h: what stands between the quotes of a template's string, with Python's escapes.
#pragma once
#include <string>
#include <string_view>

namespace eyrie::jinja {

// `error` says what is malformed, if anything is.
std::string unescaped(std::string_view literal, std::string& error);

}  // namespace eyrie::jinja
