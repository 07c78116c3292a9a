// app/output.h: what a command may write, and write over.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

// A directory that a command replaces as a whole: absent, or one whose files all begin with one of `own_names`.
// Error{usage} names the entry that would be lost.
void expect_replaceable(const std::string& directory, const std::vector<std::string_view>& own_names);

// A file that a command writes once its work is done: Error{file} before the work if that cannot be.
void expect_writable(const std::string& path);

}  // namespace eyrie
