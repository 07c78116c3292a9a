#include "text/normal_form.h"

#include <algorithm>

#include "text/unicode.h"
#include "text/unicode_property.h"

namespace eyrie {
namespace {

bool composes(NormalForm form) { return form == NormalForm::nfc || form == NormalForm::nfkc; }
bool compatible(NormalForm form) { return form == NormalForm::nfkc || form == NormalForm::nfkd; }

bool in(uint32_t code_point, uint32_t first, uint32_t last) { return first <= code_point && code_point <= last; }

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
  return !has_decomposition(code_point) || is_newer_than_unicode_9(code_point);
}

// Canonical order: each run of marks by combining class, equal ones as they stood. utf8proc's own sort is quadratic.
void sort_marks(std::vector<uint32_t>& points) {
  const auto is_mark = [](uint32_t point) { return combining_class(point) != 0; };
  for (auto run = points.begin(); run != points.end();) {
    const auto begin = std::find_if(run, points.end(), is_mark);
    run = std::find_if_not(begin, points.end(), is_mark);
    std::stable_sort(begin, run, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
  }
}

void append_cluster(AlignedText& out, const AlignedText& text, size_t begin, size_t end, NormalForm form) {
  const std::string_view cluster = std::string_view(text.text).substr(begin, end - begin);
  const CodePoint first = code_point_at(cluster, 0);
  if (first.bytes == cluster.size() && is_stable_alone(first.value, form)) return out.append(text, begin, end);
  std::vector<uint32_t> points;
  for (size_t offset = 0; offset < cluster.size(); offset += code_point_at(cluster, offset).bytes)
    decompose(code_point_at(cluster, offset).value, compatible(form), points);
  sort_marks(points);
  if (composes(form)) compose(points);
  std::string normal;
  for (const uint32_t point : points) append_utf8(normal, point);
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
