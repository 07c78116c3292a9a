#include "io/stand_in.h"

namespace eyrie {

std::string stand_in(std::string_view bytes) {
  if (bytes.starts_with("version https://git-lfs.github.com/spec/"))
    return "is a Git LFS pointer: git lfs pull brings the file";
  const size_t first = bytes.find_first_not_of("\xef\xbb\xbf \t\r\n");
  if (first != std::string_view::npos && bytes[first] == '<')
    return "is a web page, not the file: what was downloaded is the answer of a server that did not give it";
  return "";
}

}  // namespace eyrie
