#include "app/usage.h"

#include <fmt/core.h>

#include <algorithm>

namespace eyrie {

std::string help_entry(std::string_view name, std::string_view description, size_t indent, size_t width) {
  std::string text = fmt::format("{:<{}}", name, indent);
  const std::string next_line = "\n" + std::string(indent, ' ');
  size_t column = text.size();
  if (name.size() >= indent && !description.empty()) text += next_line, column = indent;
  while (!description.empty()) {
    const size_t end = std::min(description.find(' '), description.size());
    if (column > indent) {
      const bool fits = column + 1 + end <= width;
      text += fits ? " " : next_line;
      column = fits ? column + 1 : indent;
    }
    text += description.substr(0, end);
    column += end;
    description.remove_prefix(std::min(end + 1, description.size()));
  }
  return text.erase(text.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace eyrie
