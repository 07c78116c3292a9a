#include "text/normalizer.h"

#include <algorithm>

#include "io/json.h"
#include "text/normal_form.h"
#include "text/part_types.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

class Form : public Normalizer {
 public:
  explicit Form(NormalForm form) : form_(form) {}
  void rewrite(AlignedText& text) const override { text = to_normal_form(text, form_); }

 private:
  NormalForm form_;
};

class Lowercase : public Normalizer {
 public:
  void rewrite(AlignedText& text) const override {
    AlignedText lower;
    for (size_t offset = 0; offset < text.text.size();) {
      const CodePoint point = code_point_at(text.text, offset);
      std::string bytes;
      append_utf8(bytes, lower_case(point.value));
      if (point.value == 0x130) bytes = "i\u0307";  // the one character whose lower case is two
      lower.append(bytes, text.origin[offset]);
      offset += point.bytes;
    }
    text = std::move(lower);
  }
};

class Strip : public Normalizer {
 public:
  explicit Strip(const Json& json) : left_(json.boolean("strip_left")), right_(json.boolean("strip_right")) {}
  void rewrite(AlignedText& text) const override {
    const std::string_view whole = text.text, kept = trim_white_space(whole, left_, right_);
    const auto begin = static_cast<size_t>(kept.data() - whole.data());
    text = text.slice(begin, begin + kept.size());
  }

 private:
  bool left_, right_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(const Json& json) : prefix_(json.text("prepend")) {}
  void rewrite(AlignedText& text) const override {
    if (!text.empty()) text.prepend(prefix_);
  }

 private:
  std::string prefix_;
};

class Replace : public Normalizer {
 public:
  explicit Replace(const Json& json)
      : pattern_(Pattern::from_json(json.at("pattern"))), content_(json.text("content")) {}
  void rewrite(AlignedText& text) const override {
    AlignedText out;
    size_t copied = 0;
    pattern_.for_each_match(text.text, [&](size_t begin, size_t end) {
      out.append(text, copied, begin);
      out.append(content_, text.origin[std::min(begin, text.origin.size() - 1)]);
      copied = end;
    });
    out.append(text, copied, text.text.size());
    text = std::move(out);
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(const Json& json) {
    for (const Json& part : json.array("normalizers")) parts_.push_back(read_normalizer(&part));
  }
  void rewrite(AlignedText& text) const override {
    for (const auto& part : parts_) part->apply(text);
  }

 private:
  std::vector<std::unique_ptr<const Normalizer>> parts_;
};

template <NormalForm form>
std::unique_ptr<const Normalizer> make_form(const Json&) {
  return std::make_unique<Form>(form);
}

constexpr PartType<Normalizer> kTypes[] = {
    {"NFC", make_form<NormalForm::nfc>},
    {"NFD", make_form<NormalForm::nfd>},
    {"NFKC", make_form<NormalForm::nfkc>},
    {"NFKD", make_form<NormalForm::nfkd>},
    {"Lowercase", make_plain_part<Normalizer, Lowercase>},
    {"Strip", make_part<Normalizer, Strip>},
    {"Prepend", make_part<Normalizer, Prepend>},
    {"Replace", make_part<Normalizer, Replace>},
    {"Sequence", make_part<Normalizer, Sequence>},
};

}  // namespace

std::unique_ptr<const Normalizer> read_normalizer(const Json* json) {
  return json ? read_part<Normalizer>("normalizer", kTypes, *json) : nullptr;
}

}  // namespace eyrie
