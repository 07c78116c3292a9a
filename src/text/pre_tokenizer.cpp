#include "text/byte_level.h"
#include "text/part_types.h"
#include "text/pipeline.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

using Words = std::vector<AlignedText>;

// What becomes of the matches in a word and of the parts between them: whether a part is one with the part before it,
// and whether matches are dropped.
struct SplitBehavior {
  std::string_view name;
  bool (*joins)(bool matched, bool before_matched);
  bool drops_matches = false;
};
constexpr SplitBehavior kSplitBehaviors[] = {
    {"Isolated", [](bool, bool) { return false; }},
    {"Removed", [](bool, bool) { return false; }, true},
    {"MergedWithPrevious", [](bool matched, bool before_matched) { return matched && !before_matched; }},
    {"MergedWithNext", [](bool matched, bool before_matched) { return !matched && before_matched; }},
    {"Contiguous", [](bool matched, bool before_matched) { return matched == before_matched; }},
};
constexpr const SplitBehavior &kIsolated = kSplitBehaviors[0], &kRemoved = kSplitBehaviors[1],
                              &kMergedWithNext = kSplitBehaviors[3], &kContiguous = kSplitBehaviors[4];

// `for_each_match(text, match)` calls match(begin, end) from left to right.
template <typename ForEachMatch>
void split(Words& words, const SplitBehavior& behavior, bool invert, ForEachMatch for_each_match) {
  struct Part {
    size_t begin, end;
  };
  Words out;
  for (AlignedText& word : words) {
    std::vector<Part> parts;
    bool before_matched = false;
    size_t covered = 0;
    const auto add = [&](size_t end, bool matched) {
      if (!parts.empty() && behavior.joins(matched, before_matched))
        parts.back().end = end;
      else if (!(matched && behavior.drops_matches))
        parts.push_back({covered, end});
      before_matched = matched;
      covered = end;
    };
    for_each_match(word.text, [&](size_t begin, size_t end) {
      if (covered < begin) add(begin, invert);
      add(end, !invert);
    });
    if (covered < word.text.size()) add(word.text.size(), invert);
    const bool is_whole = parts.size() == 1 && parts[0].end - parts[0].begin == word.text.size();
    if (is_whole) out.push_back(std::move(word));
    for (const Part& part : parts)
      if (part.begin < part.end && !is_whole) out.push_back(word.slice(part.begin, part.end));
  }
  words = std::move(out);
}

void split(Words& words, const SplitBehavior& behavior, bool invert, const Pattern& pattern) {
  split(words, behavior, invert, [&](std::string_view text, const auto& match) {
    pattern.for_each_match(text, std::cref(match));  // which std::function holds without memory of its own
  });
}

// At every character for which `is_match` holds.
template <typename IsMatch>
void split_at_characters(Words& words, const SplitBehavior& behavior, IsMatch is_match) {
  split(words, behavior, false, [&](std::string_view text, const auto& match) {
    for (size_t offset = 0; offset < text.size();) {
      const CodePoint point = code_point_at(text, offset);
      if (is_match(point.value)) match(offset, offset + point.bytes);
      offset += point.bytes;
    }
  });
}

AlignedText to_byte_characters(const AlignedText& word) {
  AlignedText out;
  out.text.reserve(word.text.size() * 2);
  for (size_t i = 0; i < word.text.size(); ++i)
    out.append(character_of_byte(static_cast<uint8_t>(word.text[i])), word.origin[i]);
  return out;
}

PreTokenizer byte_level(const Json& json) {
  // The pattern published with GPT-2.
  static constexpr std::string_view kGpt2 =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  const bool add_prefix_space = json.boolean("add_prefix_space");
  std::optional<Pattern> regex;
  if (!json.find("use_regex") || json.boolean("use_regex")) regex = Pattern::regex(kGpt2);
  return [add_prefix_space, regex](Words& words) {
    if (add_prefix_space)
      for (AlignedText& word : words)
        if (word.text[0] != ' ') word.prepend(" ");
    if (regex) split(words, kIsolated, false, *regex);
    for (AlignedText& word : words) word = to_byte_characters(word);
  };
}

PreTokenizer split_at_pattern(const Json& json) {
  Pattern pattern = Pattern::from_json(json.at("pattern"));
  const std::string& name = json.text("behavior");
  const SplitBehavior* behavior = find_named(kSplitBehaviors, name);
  if (!behavior)
    throw Error(
        ErrorKind::file, "",
        fmt::format("behavior \"{}\": expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous",
                    name));
  return [pattern = std::move(pattern), behavior, invert = json.boolean("invert")](Words& words) {
    split(words, *behavior, invert, pattern);
  };
}

PreTokenizer digits(const Json& json) {
  const SplitBehavior& behavior = json.boolean("individual_digits") ? kIsolated : kContiguous;
  return [&behavior](Words& words) { split_at_characters(words, behavior, is_numeric); };
}

PreTokenizer white_space_split(const Json&) {
  return [](Words& words) { split_at_characters(words, kRemoved, is_white_space); };
}

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

PreTokenizer metaspace(const Json& json) {
  const std::string& mark = json.text("replacement");
  const PrependScheme scheme = read_prepend_scheme(json);
  const bool splits = !json.find("split") || json.boolean("split");
  if (mark.empty() || code_point_at(mark, 0).bytes != mark.size())
    throw Error(ErrorKind::file, "", fmt::format("replacement \"{}\": expected one character", mark));
  return [=](Words& words) {
    for (AlignedText& word : words) {
      AlignedText marked;
      marked.continues = word.continues;
      for (size_t i = 0; i < word.text.size(); ++i)
        marked.append(word.text[i] == ' ' ? mark : std::string_view(&word.text[i], 1), word.origin[i]);
      word = std::move(marked);
      const bool wanted = scheme == PrependScheme::always || (scheme == PrependScheme::first && word.origin[0] == 0);
      if (wanted && !word.text.starts_with(mark)) word.prepend(mark);
    }
    const uint32_t separator = code_point_at(mark, 0).value;
    if (splits) split_at_characters(words, kMergedWithNext, [=](uint32_t point) { return point == separator; });
  };
}

constexpr PartType<PreTokenizer> kTypes[] = {
    {"ByteLevel", byte_level},
    {"Split", split_at_pattern},
    {"Digits", digits},
    {"Metaspace", metaspace},
    {"WhitespaceSplit", white_space_split},
    {"Sequence",
     [](const Json& json) { return in_sequence<PreTokenizer>(json.array("pretokenizers"), read_pre_tokenizer); }},
};

}  // namespace

PreTokenizer read_pre_tokenizer(const Json* json) {
  if (!json) return [](Words&) {};
  return read_part("pre-tokenizer", kTypes, *json);
}

}  // namespace eyrie
