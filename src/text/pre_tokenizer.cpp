#include "text/pre_tokenizer.h"

#include <iterator>

#include "io/json.h"
#include "text/byte_level.h"
#include "text/part_types.h"
#include "text/regex.h"
#include "text/split.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

using Words = std::vector<AlignedText>;

void append_parts(Words& words, AlignedText&& text, const std::vector<SplitPart>& parts) {
  if (parts.size() == 1 && parts[0].begin == 0 && parts[0].end == text.text.size())
    return void(words.push_back(std::move(text)));
  for (const SplitPart& part : parts)
    if (part.begin < part.end) words.push_back(text.slice(part.begin, part.end));
}

// Words cut at the matches of a pattern.
void split_at_pattern(Words& words, const Pattern& pattern, SplitBehavior behavior, bool invert) {
  Words out;
  for (AlignedText& word : words) {
    SplitParts matches;
    pattern.for_each_match(word.text, [&](size_t begin, size_t end) { matches.add_match(begin, end); });
    std::vector<SplitPart> parts = matches.finish(word.text.size());
    if (invert)
      for (SplitPart& part : parts) part.matched = !part.matched;
    append_parts(out, std::move(word), merge_parts(std::move(parts), behavior));
  }
  words = std::move(out);
}

// Words cut at every character for which `is_match` holds.
template <typename IsMatch>
void split_at_characters(Words& words, SplitBehavior behavior, IsMatch is_match) {
  Words out;
  for (AlignedText& word : words) {
    SplitParts matches;
    for (size_t offset = 0; offset < word.text.size();) {
      const CodePoint point = code_point_at(word.text, offset);
      if (is_match(point.value)) matches.add_match(offset, offset + point.bytes);
      offset += point.bytes;
    }
    const size_t bytes = word.text.size();
    append_parts(out, std::move(word), merge_parts(matches.finish(bytes), behavior));
  }
  words = std::move(out);
}

AlignedText to_byte_characters(const AlignedText& word) {
  AlignedText out;
  out.text.reserve(word.text.size() * 2);
  for (size_t i = 0; i < word.text.size(); ++i)
    out.append(character_of_byte(static_cast<uint8_t>(word.text[i])), word.origin[i]);
  return out;
}

class ByteLevel : public PreTokenizer {
 public:
  explicit ByteLevel(const Json& json) : add_prefix_space_(json.boolean("add_prefix_space")) {
    if (!json.find("use_regex") || json.boolean("use_regex")) regex_ = Pattern::regex(kGpt2);
  }
  void apply(Words& words) const override {
    if (add_prefix_space_)
      for (AlignedText& word : words)
        if (word.text[0] != ' ') word.prepend(" ");
    if (regex_) split_at_pattern(words, *regex_, SplitBehavior::isolated, false);
    for (AlignedText& word : words) word = to_byte_characters(word);
  }

 private:
  // The pattern published with GPT-2.
  static constexpr std::string_view kGpt2 =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  bool add_prefix_space_;
  std::optional<Pattern> regex_;
};

class Split : public PreTokenizer {
 public:
  explicit Split(const Json& json)
      : pattern_(Pattern::from_json(json.at("pattern"))),
        behavior_(split_behavior(json.text("behavior"))),
        invert_(json.boolean("invert")) {}
  void apply(Words& words) const override { split_at_pattern(words, pattern_, behavior_, invert_); }

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class Digits : public PreTokenizer {
 public:
  explicit Digits(const Json& json)
      : behavior_(json.boolean("individual_digits") ? SplitBehavior::isolated : SplitBehavior::contiguous) {}
  void apply(Words& words) const override { split_at_characters(words, behavior_, is_numeric); }

 private:
  SplitBehavior behavior_;
};

class WhitespaceSplit : public PreTokenizer {
 public:
  void apply(Words& words) const override { split_at_characters(words, SplitBehavior::removed, is_white_space); }
};

enum class PrependScheme { always, first, never };

PrependScheme read_prepend_scheme(const Json& json) {
  const Json* named = json.find("prepend_scheme");
  const std::string scheme = named ? named->as_text() : "always";
  const Json* add_prefix_space = json.find("add_prefix_space");  // how files before prepend_scheme said never
  if (scheme == "never" || (!named && add_prefix_space && !add_prefix_space->as_boolean())) return PrependScheme::never;
  if (scheme == "first") return PrependScheme::first;
  if (scheme == "always") return PrependScheme::always;
  throw Error(ErrorKind::file, "", fmt::format("prepend_scheme \"{}\": expected always, first or never", scheme));
}

class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(const Json& json)
      : replacement_(json.text("replacement")),
        scheme_(read_prepend_scheme(json)),
        split_(!json.find("split") || json.boolean("split")) {
    if (replacement_.empty() || code_point_at(replacement_, 0).bytes != replacement_.size())
      throw Error(ErrorKind::file, "", fmt::format("replacement \"{}\": expected one character", replacement_));
  }
  void apply(Words& words) const override {
    for (AlignedText& word : words) {
      word = replace_spaces(word);
      const bool wanted = scheme_ == PrependScheme::always || (scheme_ == PrependScheme::first && word.origin[0] == 0);
      if (wanted && !word.text.starts_with(replacement_)) word.prepend(replacement_);
    }
    const uint32_t separator = code_point_at(replacement_, 0).value;
    if (split_)
      split_at_characters(words, SplitBehavior::merged_with_next, [=](uint32_t point) { return point == separator; });
  }

 private:
  AlignedText replace_spaces(const AlignedText& word) const {
    AlignedText out;
    out.continues = word.continues;
    for (size_t i = 0; i < word.text.size(); ++i)
      out.append(word.text[i] == ' ' ? std::string_view(replacement_) : std::string_view(&word.text[i], 1),
                 word.origin[i]);
    return out;
  }

  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
};

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(const Json& json) {
    for (const Json& part : json.array("pretokenizers")) parts_.push_back(read_pre_tokenizer(&part));
  }
  void apply(Words& words) const override {
    for (const auto& part : parts_) part->apply(words);
  }

 private:
  std::vector<std::unique_ptr<const PreTokenizer>> parts_;
};

constexpr PartType<PreTokenizer> kTypes[] = {
    {"ByteLevel", make_part<PreTokenizer, ByteLevel>},
    {"Split", make_part<PreTokenizer, Split>},
    {"Digits", make_part<PreTokenizer, Digits>},
    {"Metaspace", make_part<PreTokenizer, Metaspace>},
    {"WhitespaceSplit", make_plain_part<PreTokenizer, WhitespaceSplit>},
    {"Sequence", make_part<PreTokenizer, Sequence>},
};

}  // namespace

std::unique_ptr<const PreTokenizer> read_pre_tokenizer(const Json* json) {
  return json ? read_part<PreTokenizer>("pre-tokenizer", kTypes, *json) : nullptr;
}

}  // namespace eyrie
