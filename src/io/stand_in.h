// io/stand_in.h: what lies under a file's name when its download did not bring the file.
#pragma once
#include <string>
#include <string_view>

namespace eyrie {

// "is a Git LFS pointer: git lfs pull" or "is a web page, …" by the file's first bytes; empty when they are neither's.
std::string stand_in(std::string_view bytes);

}  // namespace eyrie
