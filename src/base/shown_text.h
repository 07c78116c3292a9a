// base/shown_text.h: text as a person is shown it, in errors and in lines of the log: nothing in it can move a
// terminal's cursor, and what is still being written goes by the name that it will have.
#pragma once
#include <string>
#include <string_view>

namespace eyrie {

// io/staging.h writes FINAL in the place FINAL.tmp-eyrie-XXXXXX/new; mkdtemp fills in the X.
inline constexpr std::string_view kStagingInfix = ".tmp-eyrie-", kStagingUnique = "XXXXXX", kStagingFresh = "/new";

// As \x1b, byte by byte: control characters (a line's end and a tab too, unless `keep_lines`), characters that reorder
// or hide text, and what is no UTF-8. Paths in a staging as the final ones.
std::string shown_text(std::string_view text, bool keep_lines = false);

}  // namespace eyrie
