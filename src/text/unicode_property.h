// text/unicode_property.h: the properties of Unicode 16, by the names that Oniguruma's \p{...} knows.
#pragma once
#include <optional>
#include <string_view>

#include "text/code_point_set.h"

namespace eyrie {

// In the order of the generated tables.
enum class Category : uint8_t {
  lu,
  ll,
  lt,
  lm,
  lo,
  mn,
  mc,
  me,
  nd,
  nl,
  no,
  pc,
  pd,
  ps,
  pe,
  pi,
  pf,
  po,
  sm,
  sc,
  sk,
  so,
  zs,
  zl,
  zp,
  cc,
  cf,
  cs,
  co,
  cn
};

const CodePointSet& category_set(Category category);

// Categories, scripts, binary properties, blocks (In_...) and POSIX names, long or short; case, spaces, hyphens and
// underscores do not count. None when Oniguruma has no such name.
std::optional<CodePointSet> unicode_property(std::string_view name);

// What Unicode 14 does not know or has in another category, and what it had in this one.
const CodePointSet& newer_than_unicode_14();
CodePointSet former_members(Category category);
bool has_newer_than_unicode_14(std::string_view text);  // text must be valid UTF-8

bool is_newer_than_unicode_9(uint32_t code_point);

}  // namespace eyrie
