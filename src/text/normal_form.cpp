#include "text/normal_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "text/unicode.h"
#include "text/unicode_property.h"

namespace eyrie {
namespace {

bool composes(NormalForm form) { return form == NormalForm::nfc || form == NormalForm::nfkc; }
bool compatible(NormalForm form) { return form == NormalForm::nfkc || form == NormalForm::nfkd; }

bool in(uint32_t code_point, uint32_t first, uint32_t last) { return first <= code_point && code_point <= last; }

const utf8proc_property_t& property(uint32_t code_point) {
  return *utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point));
}

bool is_mark(uint32_t code_point) {
  const auto category = property(code_point).category;
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

// Whether a character may change, move behind, or melt into the one before it: marks, vowels and finals of Hangul, and
// the halfwidth forms that become such. Nothing else does, so a cluster begins at every other character; and at U+11A7,
// which utf8proc wrongly takes for a final.
bool joins_cluster(uint32_t code_point) {
  return code_point >= 0x300 &&
         ((is_mark(code_point) && !is_newer_than_unicode_9(code_point)) || in(code_point, 0x1160, 0x11A6) ||
          in(code_point, 0x11A8, 0x11FF) || in(code_point, 0x3130, 0x318F) || in(code_point, 0xFF9E, 0xFFDC));
}

bool is_stable_alone(uint32_t code_point, NormalForm form) {
  if (code_point < 0x80) return true;
  if (in(code_point, 0xAC00, 0xD7A3)) return composes(form);
  return property(code_point).decomp_seqindex == UINT16_MAX || is_newer_than_unicode_9(code_point);
}

using Points = std::vector<utf8proc_int32_t>;

void append_decomposition(Points& points, uint32_t code_point, NormalForm form) {
  std::array<utf8proc_int32_t, 32> parts;  // Unicode's longest has 18
  const int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible(form) ? UTF8PROC_COMPAT : 0);
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), parts.data(), std::ssize(parts),
                                             static_cast<utf8proc_option_t>(options), nullptr);
  points.insert(points.end(), parts.begin(), parts.begin() + count);
}

// Canonical order: each run of marks by combining class, equal ones as they stood. utf8proc's own sort is quadratic.
void sort_marks(Points& points) {
  const auto combining_class = [](utf8proc_int32_t point) { return utf8proc_get_property(point)->combining_class; };
  for (auto run = points.begin(); run != points.end();) {
    const auto begin = std::find_if(run, points.end(), combining_class);
    run = std::find_if_not(begin, points.end(), combining_class);
    std::ranges::stable_sort(begin, run, {}, combining_class);
  }
}

void append_cluster(AlignedText& out, const AlignedText& text, size_t begin, size_t end, NormalForm form) {
  const std::string_view cluster = std::string_view(text.text).substr(begin, end - begin);
  const CodePoint first = code_point_at(cluster, 0);
  if (first.bytes == cluster.size() && is_stable_alone(first.value, form)) return out.append(text, begin, end);
  Points points;
  for (size_t offset = 0; offset < cluster.size(); offset += code_point_at(cluster, offset).bytes)
    append_decomposition(points, code_point_at(cluster, offset).value, form);
  sort_marks(points);
  const auto composed = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (composes(form))
    points.resize(static_cast<size_t>(utf8proc_normalize_utf32(points.data(), std::ssize(points), composed)));
  std::string normal;
  for (const utf8proc_int32_t point : points) append_utf8(normal, static_cast<uint32_t>(point));
  if (normal == cluster) return out.append(text, begin, end);
  out.append(normal, text.origin[begin]);
}

}  // namespace

AlignedText to_normal_form(const AlignedText& text, NormalForm form) {
  AlignedText out;
  out.text.reserve(text.text.size());
  out.origin.reserve(text.text.size());
  for (size_t begin = 0; begin < text.text.size();) {
    const CodePoint first = code_point_at(text.text, begin);
    size_t end = begin + first.bytes;
    while (end < text.text.size()) {
      const CodePoint next = code_point_at(text.text, end);
      if (!joins_cluster(next.value) || is_newer_than_unicode_9(first.value)) break;
      end += next.bytes;
    }
    append_cluster(out, text, begin, end, form);
    begin = end;
  }
  return out;
}

}  // namespace eyrie
