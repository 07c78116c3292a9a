// Methods of texts and dicts, Python's that change nothing; and the functions beside a template's variables.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/named.h"
#include "text/jinja/builtins.h"

namespace eyrie::jinja {
namespace {

template <bool from_right>
Value split(const Call& call) {
  const std::string& text = call.self.text();
  const int64_t asked = call.whole(1, -1);
  const size_t most = asked < 0 ? SIZE_MAX : static_cast<size_t>(asked);
  const bool at_space = !call.has(0);
  if (at_space && from_right && most != SIZE_MAX) fail("rsplit with a limit needs a separator here");
  if (!at_space && call.text(0).empty()) fail("empty separator");
  Values parts;
  const std::string separator = at_space ? "" : call.text(0);
  for (const auto part : at_space ? split_at_space(text, most) : split_at(text, separator, most, from_right))
    parts.emplace_back(std::string(part));
  return make_sequence(call.context, std::move(parts));
}

template <bool at_end>
Value has_affix(const Call& call) {
  return at_end ? call.self.text().ends_with(call.text(0)) : call.self.text().starts_with(call.text(0));
}

template <bool keys, bool values>
Value parts_of(const Call& call) {
  Values parts;
  for (const auto& [key, value] : call.self.dictionary().pairs)
    parts.push_back(!values ? key : !keys ? value : make_sequence(call.context, {key, value}, true));
  return make_sequence(call.context, std::move(parts));
}

Value get(const Call& call) {
  const Value* found = call.self.dictionary().find(call.context, call[0]);
  return found ? *found : call.value(1, Value::none());
}

Value join_items(const Call& call) {
  TextBuilder out(call.context);
  bool is_first = true;
  for (const Value& item : items_of(call.context, call[0])) {
    if (!item.is_text()) fail("join: expected texts alone");
    if (!std::exchange(is_first, false)) out << call.self.text();
    out << item.text();
  }
  return out.take();
}

// By code point; -1: nowhere.
Value find(const Call& call) {
  const size_t at = find_first(call.self.text(), call.text(0));
  return at == std::string::npos ? int64_t{-1} : character_count(std::string_view(call.self.text()).substr(0, at));
}

Value count_parts(const Call& call) {
  if (call.text(0).empty()) fail("count: expected a text that is not empty");
  return std::ssize(split_at(call.self.text(), call.text(0))) - 1;
}

// At \n, \r\n and \r.
Value split_lines(const Call& call) {
  std::string text = replaced(call.context, call.self.text(), "\r\n", "\n", -1);
  std::replace(text.begin(), text.end(), '\r', '\n');
  if (text.ends_with('\n')) text.pop_back();
  Values lines;
  if (!call.self.text().empty())
    for (const auto line : split_at(text, "\n")) lines.emplace_back(std::string(line));
  return make_sequence(call.context, std::move(lines));
}

template <bool at_end>
Value without_affix(const Call& call) {
  std::string_view text = call.self.text();
  const std::string affix = call.text(0);
  if (at_end && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!at_end && text.starts_with(affix)) text.remove_prefix(affix.size());
  return make_text(call.context, text);
}

constexpr Builtin kTextMethods[] = {
    {"count", "-", 1, count_parts},
    {"find", "-", 1, find},
    {"join", "-", 1, join_items},
    {"splitlines", "", 0, split_lines},
    {"removeprefix", "-", 1, without_affix<false>},
    {"removesuffix", "-", 1, without_affix<true>},
    {"capitalize", "", 0, mapped<capitalized>},
    {"endswith", "-", 1, has_affix<true>},
    {"lower", "", 0, mapped<lower_cased>},
    {"lstrip", "-", 0, strip<true, false>},
    {"replace", "- - -", 2, replace},
    {"rsplit", "sep maxsplit", 0, split<true>},
    {"rstrip", "-", 0, strip<false, true>},
    {"split", "sep maxsplit", 0, split<false>},
    {"startswith", "-", 1, has_affix<false>},
    {"strip", "-", 0, strip<true, true>},
    {"title", "", 0, mapped<titled>},
    {"upper", "", 0, mapped<upper_cased>},
};

constexpr Builtin kDictionaryMethods[] = {
    {"get", "- -", 1, get},
    {"items", "", 0, parts_of<true, true>},
    {"keys", "", 0, parts_of<true, false>},
    {"values", "", 0, parts_of<false, true>},
};

Value range(const Call& call) {
  const int64_t begin = call.has(1) ? call.whole(0, 0) : 0, end = call.whole(call.has(1) ? 1 : 0, 0);
  const int64_t step = call.whole(2, 1);
  if (step == 0) fail("range() arg 3 must not be zero");
  Values numbers;
  for (__int128 at = begin; step > 0 ? at < end : at > end; at += step) {  // in 128 bits nothing wraps
    if (numbers.size() == kMostItems) fail(fmt::format("a range of more than {} numbers", kMostItems));
    numbers.push_back(static_cast<int64_t>(at));
  }
  return make_sequence(call.context, std::move(numbers));
}

// dict(a dict, name=value, ...)
Value dictionary(const Call& call) {
  const auto& [given, named] = call.any;
  if (given.size() > 1 || (!given.empty() && !given[0].is_dictionary())) fail("dict: expected one dict by position");
  Pairs pairs = given.empty() ? Pairs{} : given[0].dictionary().pairs;
  for (const auto& [name, value] : named) pairs.emplace_back(name, value);
  return make_dictionary(call.context, std::move(pairs));
}

Value namespace_of(const Call& call) {
  const Value members = dictionary(call);
  Object* space = call.context.keep(std::make_unique<Object>());
  space->is_namespace = true;
  for (const auto& [name, value] : members.dictionary().pairs)
    if (name.is_text()) space->set(name.text(), value);
  return space;
}

Value raise_exception(const Call& call) { fail(written(call.context, call[0])); }

// As Python's datetime without a time zone: %f, %z and %Z are its own, the rest is the C library's.
Value now_as_text(const Call& call) {
  const auto without = [&](const std::string& text, const char* letter, const char* meaning) {
    return replaced(call.context, text, letter, meaning, -1);
  };
  const std::string format = without(without(without(call.text(0), "%f", "000000"), "%z", ""), "%Z", "");
  if (format.size() > 1000) fail("strftime_now: the format is longer than 1000 bytes");
  std::array<char, 64 << 10> buffer;
  const size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &call.context.now);
  return make_text(call.context, std::string_view(buffer.data(), size));
}

constexpr Builtin kFunctions[] = {
    {"dict", "*", 0, dictionary},
    {"namespace", "*", 0, namespace_of},
    {"range", "- - -", 1, range},
    {"raise_exception", "message", 1, raise_exception},
    {"strftime_now", "format", 1, now_as_text},
};

}  // namespace

const Builtin* find_function(std::string_view name) { return find_named(kFunctions, name); }

const Builtin* find_method(const Value& self, std::string_view name) {
  if (self.is_text()) return find_named(kTextMethods, name);
  return self.is_dictionary() ? find_named(kDictionaryMethods, name) : nullptr;
}

bool is_method(std::string_view name) {
  return find_named(kTextMethods, name) || find_named(kDictionaryMethods, name) || name == "cycle";
}

}  // namespace eyrie::jinja
