// app/output.h: what a command may write over.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

// A directory that a command replaces as a whole: absent, or one whose files all begin with one of `own_names`.
// Error{usage} names the entry that would be lost.
void expect_replaceable(const std::string& directory, const std::vector<std::string_view>& own_names);

}  // namespace eyrie
