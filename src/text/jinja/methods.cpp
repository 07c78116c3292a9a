// Methods of texts, dicts and sequences: Python's that change nothing.
#include <fmt/core.h>

#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_format.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

// A method of a Markup gives a Markup.
Value like(Context& context, const Value& self, std::string_view text) {
  return make_text(context.work, std::string(text), self.is_markup());
}

Value list_of(Context& context, const Value& self, const std::vector<std::string_view>& parts) {
  context.work.spend_items(parts.size());
  Values items;
  for (const std::string_view part : parts) items.push_back(like(context, self, part));
  return make_list(context.work, std::move(items));
}

using TextFunction = std::string (*)(std::string_view);
template <TextFunction function>
Value mapped(Context& context, const Value& self, const Bound&) {
  return like(context, self, function(self.text()));
}

template <bool left, bool right>
Value strip(Context& context, const Value& self, const Bound& arguments) {
  const bool space = !arguments.has(0) || arguments[0].is_none();
  return like(context, self,
              space ? trim_python_space(self.text(), left, right)
                    : trim_characters(self.text(), arguments.text(0, ""), left, right));
}

template <bool from_right>
Value split(Context& context, const Value& self, const Bound& arguments) {
  const int64_t asked = arguments.whole(1, -1);
  const size_t most = asked < 0 ? SIZE_MAX : static_cast<size_t>(asked);
  if (!arguments.has(0) || arguments[0].is_none())
    return list_of(context, self, split_at_space(self.text(), most, from_right));
  const std::string& separator = arguments.text(0, "");
  if (separator.empty()) fail("empty separator");
  return list_of(context, self, split_at(self.text(), separator, most, from_right));
}

template <bool from_right>
Value partition(Context& context, const Value& self, const Bound& arguments) {
  const std::string& separator = arguments.text(0, "");
  if (separator.empty()) fail("empty separator");
  const std::vector<std::string_view> parts = split_at(self.text(), separator, 1, from_right);
  const Value nothing = like(context, self, "");
  if (parts.size() == 2)
    return make_tuple(context.work,
                      {like(context, self, parts[0]), like(context, self, separator), like(context, self, parts[1])});
  return make_tuple(context.work, from_right ? Values{nothing, nothing, self} : Values{self, nothing, nothing});
}

Value split_into_lines(Context& context, const Value& self, const Bound& arguments) {
  return list_of(context, self, split_lines(self.text(), arguments.truth(0, false)));
}

int64_t bound(const Bound& arguments, size_t i, int64_t otherwise) {
  return arguments.has(i) && arguments[i].is_none() ? otherwise : arguments.whole(i, otherwise);
}

// text[begin : end] where the method's arguments name them.
std::optional<std::string_view> between(const Value& self, const Bound& arguments) {
  const int64_t length = character_count(self.text());
  const auto place = [&](int64_t at) { return std::max<int64_t>(0, at < 0 ? at + length : at); };
  const int64_t begin = place(bound(arguments, 1, 0)), end = std::min(length, place(bound(arguments, 2, length)));
  if (begin > end) return std::nullopt;
  return characters(self.text(), static_cast<size_t>(begin), static_cast<size_t>(end));
}

template <bool at_end>
Value has_affix(Context&, const Value& self, const Bound& arguments) {
  const std::optional<std::string_view> text = between(self, arguments);
  const auto fits = [&](const Value& affix) {
    if (!affix.is_text()) fail(fmt::format("expected a string or a tuple of strings, found '{}'", affix.type_name()));
    return text && (at_end ? text->ends_with(affix.text()) : text->starts_with(affix.text()));
  };
  if (!arguments[0].is_sequence() || !arguments[0].sequence().is_tuple()) return fits(arguments[0]);
  const Values& affixes = arguments[0].sequence().items;
  return std::any_of(affixes.begin(), affixes.end(), fits);
}

template <bool at_end>
Value without_affix(Context& context, const Value& self, const Bound& arguments) {
  std::string_view text = self.text();
  const std::string& affix = arguments.text(0, "");
  if (at_end && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!at_end && text.starts_with(affix)) text.remove_prefix(affix.size());
  return like(context, self, text);
}

template <bool from_right, bool must>
Value find(Context&, const Value& self, const Bound& arguments) {
  const int64_t end = bound(arguments, 2, INT64_MAX);
  const int64_t found = find_text(self.text(), arguments.text(0, ""), bound(arguments, 1, 0), end, from_right);
  if (must && found < 0) fail("substring not found");
  return found;
}

Value count(Context&, const Value& self, const Bound& arguments) {
  const std::optional<std::string_view> text = between(self, arguments);
  const std::string& part = arguments.text(0, "");
  if (!text) return int64_t{0};
  if (part.empty()) return character_count(*text) + 1;
  return std::ssize(split_at(*text, part, SIZE_MAX, false)) - 1;
}

Value replace(Context& context, const Value& self, const Bound& arguments) {
  return like(
      context, self,
      replaced(context.work, self.text(), arguments.text(0, ""), arguments.text(1, ""), arguments.whole(2, -1)));
}

Value join(Context& context, const Value& self, const Bound& arguments) {
  TextBuilder out(context.work);
  bool is_first = true;
  for (const Value& item : items_of(context.work, arguments[0])) {
    if (!item.is_text()) fail(fmt::format("join: expected strings, found '{}'", item.type_name()));
    if (!is_first) out << self.text();
    is_first = false;
    out << item.text();
  }
  return Value(out.take(), self.is_markup());
}

template <char side>
Value justify(Context& context, const Value& self, const Bound& arguments) {
  const std::string space = " ", &fill = arguments.text(1, space);
  if (character_count(fill) != 1) fail("the fill character must be exactly one character long");
  return like(context, self, padded(context.work, self.text(), arguments.whole(0, 0), fill, side));
}

Value fill_zeros(Context& context, const Value& self, const Bound& arguments) {
  const std::string_view text = self.text();
  const size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  const int64_t width = std::max<int64_t>(0, arguments.whole(0, 0)) - static_cast<int64_t>(sign);
  return like(context, self,
              std::string(text.substr(0, sign)) + padded(context.work, text.substr(sign), width, "0", '>'));
}

Value format(Context& context, const Value& self, const Bound& arguments) {
  return brace_format(context, self, arguments.any());
}

using Classify = bool (*)(uint32_t code_point);
template <Classify classify>
Value is_all(Context& context, const Value& self, const Bound&) {
  const std::string& text = self.text();
  context.work.spend(text.size() / 256);
  for (size_t at = 0; at < text.size(); at += code_point_at(text, at).bytes)
    if (!classify(code_point_at(text, at).value)) return false;
  return !text.empty();
}

template <bool upper>
Value is_case(Context&, const Value& self, const Bound&) {
  return is_all_case(self.text(), upper);
}

template <Classify... classify>
bool any_class(uint32_t code_point) {
  return (classify(code_point) || ...);
}

bool is_ascii(uint32_t code_point) { return code_point < 0x80; }
Value is_all_ascii(Context& context, const Value& self, const Bound& none) {
  return self.text().empty() ? Value(true) : is_all<is_ascii>(context, self, none);
}

template <bool keys, bool values>
Value view(Context& context, const Value& self, const Bound&) {
  Values items;
  for (const auto& [key, value] : self.dictionary().pairs())
    items.push_back(!values ? key : !keys ? value : make_tuple(context.work, {key, value}));
  const char* label = !values ? "dict_keys" : !keys ? "dict_values" : "dict_items";
  return make_sequence(context.work, Sequence::Kind::view, std::move(items), label);
}

Value get(Context& context, const Value& self, const Bound& arguments) {
  const Value* found = self.dictionary().find(context.work, arguments[0]);
  return found ? *found : arguments.value(1, Value::none());
}

Value copy(Context&, const Value& self, const Bound&) { return self; }

Value count_item(Context& context, const Value& self, const Bound& arguments) {
  const Values& items = self.sequence().items;
  return std::count_if(items.begin(), items.end(),
                       [&](const Value& item) { return equal(context.work, item, arguments[0]); });
}

Value index_item(Context& context, const Value& self, const Bound& arguments) {
  const Values& items = self.sequence().items;
  const auto found = std::find_if(items.begin(), items.end(),
                                  [&](const Value& item) { return equal(context.work, item, arguments[0]); });
  if (found == items.end()) fail("the value is not in the list");
  return found - items.begin();
}

constexpr Builtin kTextMethods[] = {
    {"capitalize", "", 0, mapped<capitalized>},
    {"center", "- -", 1, justify<'|'>},
    {"count", "- - -", 1, count},
    {"endswith", "- - -", 1, has_affix<true>},
    {"find", "- - -", 1, find<false, false>},
    {"format", "*", 0, format},
    {"index", "- - -", 1, find<false, true>},
    {"isalnum", "", 0, is_all<any_class<is_letter, is_numeric>>},
    {"isalpha", "", 0, is_all<is_letter>},
    {"isascii", "", 0, is_all_ascii},
    {"isdecimal", "", 0, is_all<is_decimal>},
    {"isdigit", "", 0, is_all<is_python_digit>},
    {"islower", "", 0, is_case<false>},
    {"isnumeric", "", 0, is_all<is_numeric>},
    {"isspace", "", 0, is_all<is_python_space>},
    {"isupper", "", 0, is_case<true>},
    {"join", "-", 1, join},
    {"ljust", "- -", 1, justify<'<'>},
    {"lower", "", 0, mapped<lower_cased>},
    {"lstrip", "-", 0, strip<true, false>},
    {"partition", "-", 1, partition<false>},
    {"removeprefix", "-", 1, without_affix<false>},
    {"removesuffix", "-", 1, without_affix<true>},
    {"replace", "- - -", 2, replace},
    {"rfind", "- - -", 1, find<true, false>},
    {"rindex", "- - -", 1, find<true, true>},
    {"rjust", "- -", 1, justify<'>'>},
    {"rpartition", "-", 1, partition<true>},
    {"rsplit", "sep maxsplit", 0, split<true>},
    {"rstrip", "-", 0, strip<false, true>},
    {"split", "sep maxsplit", 0, split<false>},
    {"splitlines", "keepends", 0, split_into_lines},
    {"startswith", "- - -", 1, has_affix<false>},
    {"strip", "-", 0, strip<true, true>},
    {"title", "", 0, mapped<title_cased>},
    {"upper", "", 0, mapped<upper_cased>},
    {"zfill", "-", 1, fill_zeros},
};

constexpr Builtin kDictionaryMethods[] = {
    {"copy", "", 0, copy},
    {"get", "- -", 1, get},
    {"items", "", 0, view<true, true>},
    {"keys", "", 0, view<true, false>},
    {"values", "", 0, view<false, true>},
};

constexpr Builtin kSequenceMethods[] = {
    {"count", "-", 1, count_item}, {"index", "-", 1, index_item}, {"copy", "", 0, copy},  // of a list alone
};

}  // namespace

const Builtin* find_method(const Value& self, std::string_view name) {
  if (self.is_text()) return find_builtin(kTextMethods, name);
  if (self.is_dictionary()) return find_builtin(kDictionaryMethods, name);
  if (!self.is_sequence() || !self.sequence().is_indexed()) return nullptr;
  const Builtin* found = find_builtin(kSequenceMethods, name);
  return found && name == "copy" && self.sequence().kind != Sequence::Kind::list ? nullptr : found;
}

bool is_unknown_method(std::string_view name) {
  static constexpr std::string_view kNames[] = {"casefold",    "encode",  "expandtabs", "format_map", "isidentifier",
                                                "isprintable", "istitle", "maketrans",  "swapcase",   "translate"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace eyrie::jinja
