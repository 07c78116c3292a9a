#include <algorithm>

#include "text/normal_form.h"
#include "text/part_types.h"
#include "text/pipeline.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

template <NormalForm form>
Normalizer normal_form(const Json&) {
  return [](AlignedText& text) { text.rewrite(to_normal_form(text, form)); };
}

Normalizer lowercase(const Json&) {
  return [](AlignedText& text) {
    AlignedText lower;
    for (size_t offset = 0; offset < text.text.size();) {
      const CodePoint point = code_point_at(text.text, offset);
      std::string bytes;
      append_utf8(bytes, lower_case(point.value));
      if (point.value == 0x130) bytes = "i\u0307";  // the one character whose lower case is two
      lower.append(bytes, text.origin[offset]);
      offset += point.bytes;
    }
    text.rewrite(std::move(lower));
  };
}

Normalizer strip(const Json& json) {
  return [left = json.boolean("strip_left"), right = json.boolean("strip_right")](AlignedText& text) {
    const std::string_view whole = text.text, kept = trim_white_space(whole, left, right);
    const auto begin = static_cast<size_t>(kept.data() - whole.data());
    text.rewrite(text.slice(begin, begin + kept.size()));
  };
}

Normalizer prepend(const Json& json) {
  return [prefix = json.text("prepend")](AlignedText& text) {
    if (!text.empty()) text.prepend(prefix);
  };
}

Normalizer replace(const Json& json) {
  return [pattern = Pattern::from_json(json.at("pattern")), content = json.text("content")](AlignedText& text) {
    AlignedText out;
    size_t copied = 0;
    pattern.for_each_match(text.text, [&](size_t begin, size_t end) {
      out.append(text, copied, begin);
      out.append(content, text.origin[std::min(begin, text.origin.size() - 1)]);
      copied = end;
    });
    out.append(text, copied, text.text.size());
    text.rewrite(std::move(out));
  };
}

constexpr PartType<Normalizer> kTypes[] = {
    {"NFC", normal_form<NormalForm::nfc>},
    {"NFD", normal_form<NormalForm::nfd>},
    {"NFKC", normal_form<NormalForm::nfkc>},
    {"NFKD", normal_form<NormalForm::nfkd>},
    {"Lowercase", lowercase},
    {"Strip", strip},
    {"Prepend", prepend},
    {"Replace", replace},
    {"Sequence", [](const Json& json) { return in_sequence<Normalizer>(json.array("normalizers"), read_normalizer); }},
};

}  // namespace

Normalizer read_normalizer(const Json* json) {
  if (!json) return [](AlignedText&) {};
  return read_part("normalizer", kTypes, *json);
}

}  // namespace eyrie
