// What stands behind |.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/named.h"
#include "text/jinja/builtins.h"

namespace eyrie::jinja {
namespace {

// By a path like "function.name" or "0.x".
Value path_of(Context& context, const Value& value, const Value& path) {
  if (!path.is_text()) return item_of(context, value, path);
  Value found = value;
  for (const std::string_view part : split_at(path.text(), ".")) {
    int64_t index = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = read.ec == std::errc() && read.ptr == part.data() + part.size();
    found = item_of(context, found, is_index ? Value(index) : Value(std::string(part)));
  }
  return found;
}

// What is compared of an item: it, or an attribute (none: None), in lower case unless case counts.
Value key_of(Context& context, const Value& item, const Value& attribute, bool case_sensitive) {
  const Value found = attribute.is_none() ? item : path_of(context, item, attribute);
  return case_sensitive || !found.is_text() ? found : make_text(context, lower_cased(found.text()));
}

// Stable, as Python's; equal items keep their order when reversed, too.
Values sorted(Context& context, Values items, const Value& attribute, bool case_sensitive, bool reverse) {
  Pairs keyed;
  for (Value& item : items) {
    Value key = key_of(context, item, attribute, case_sensitive);
    keyed.emplace_back(std::move(key), std::move(item));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](auto& left, auto& right) {
    return order(context, reverse ? right.first : left.first, reverse ? left.first : right.first) < 0;
  });
  for (size_t i = 0; i < items.size(); ++i) items[i] = std::move(keyed[i].second);
  return items;
}

Values items_of(const Call& call) { return items_of(call.context, call.self); }

// Of None and the like, too: they have none.
Values items_if_any(const Call& call) { return call.self.truth() ? items_of(call) : Values{}; }

Value sort(const Call& call) {
  const Value attribute = call.value(2, Value::none());
  return make_sequence(call.context, sorted(call.context, items_of(call), attribute, call.truth(1), call.truth(0)));
}

Value pairs_of(const Call& call) {
  if (call.self.is_undefined()) return make_sequence(call.context, {});
  if (!call.self.is_dictionary())
    fail(fmt::format("items: can only get item pairs from a mapping, found '{}'", call.self.type_name()));
  Values pairs;
  for (const auto& [key, value] : call.self.dictionary().pairs)
    pairs.push_back(make_sequence(call.context, {key, value}, true));
  return make_sequence(call.context, std::move(pairs));
}

Value dictionary_sort(const Call& call) {
  call.self.check_defined();
  return make_sequence(call.context, sorted(call.context, pairs_of(call).items(), int64_t{0}, false, false));
}

// A filter or test that another filter applies, with the arguments behind its name.
struct Applied {
  const Builtin* builtin = nullptr;
  Arguments rest;

  Applied(const Arguments& given, size_t place, const Builtin* (*find)(std::string_view)) : rest(given) {
    const Value& name = given.positional[place];
    builtin = name.is_text() ? find(name.text()) : nullptr;
    if (!builtin)
      fail(fmt::format("what is applied is not known here: {}", name.is_text() ? name.text() : name.type_name()));
    rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
};

Value map(const Call& call) {
  const auto& [given, named] = call.any;
  const bool by_attribute = given.empty() && named.size() == 1 && named[0].first == "attribute";
  if (given.empty() && !by_attribute) fail("map needs a filter's name, or attribute= and nothing else");
  std::optional<Applied> filter;
  if (!by_attribute && call.self.truth()) filter.emplace(call.any, 0, find_filter);
  Values results;
  for (const Value& item : items_if_any(call))
    results.push_back(filter ? call_builtin(call.context, *filter->builtin, item, filter->rest)
                             : path_of(call.context, item, named[0].second));
  return make_sequence(call.context, std::move(results));
}

// select, reject, and the same by an attribute: items for which a test (none: their truth) says `wanted`.
template <bool wanted, bool by_attribute>
Value select(const Call& call) {
  const Values& given = call.any.positional;
  if (by_attribute && given.empty()) fail("an attribute's name is missing");
  std::optional<Applied> test;
  if (given.size() > by_attribute) test.emplace(call.any, by_attribute, find_test);
  Values kept;
  for (const Value& item : items_if_any(call)) {
    const Value tested = by_attribute ? path_of(call.context, item, given[0]) : item;
    const Value found = test ? call_builtin(call.context, *test->builtin, tested, test->rest) : tested;
    if (found.truth() == wanted) kept.push_back(item);
  }
  return make_sequence(call.context, std::move(kept));
}

Value count(const Call& call) { return length_of(call.self); }

Value otherwise(const Call& call) {
  const bool missing = call.self.is_undefined() || (call.truth(1) && !call.self.truth());
  return missing ? call.value(0, "") : call.self;
}

template <bool last>
Value end_of(const Call& call) {
  const Values items = items_of(call);
  if (items.empty()) return Value::undefined(fmt::format("No {} item, sequence was empty.", last ? "last" : "first"));
  return last ? items.back() : items.front();
}

Value join(const Call& call) {
  const Value attribute = call.value(1, Value::none());
  const std::string between = written(call.context, call.value(0, ""));
  TextBuilder out(call.context);
  bool is_first = true;
  for (const Value& item : items_of(call)) {
    if (!std::exchange(is_first, false)) out << between;
    write(call.context, out, key_of(call.context, item, attribute, true));
  }
  return out.take();
}

Value reverse(const Call& call) {
  if (call.self.is_text()) fail("reverse: a text is not turned round here");
  Values items = items_of(call);
  std::reverse(items.begin(), items.end());
  return make_sequence(call.context, std::move(items));
}

// What Python's int() and float() read, less underscores.
template <typename Number>
std::optional<Number> parsed(std::string_view text) {
  text = trim_white_space(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  Number number{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Value to_whole(const Call& call) {
  call.self.check_defined();
  if (call.self.is_whole()) return call.self.whole();
  if (call.self.is_text())
    if (const auto found = parsed<int64_t>(call.self.text())) return *found;
  const auto real = call.self.is_float()  ? call.self.number()
                    : call.self.is_text() ? parsed<double>(call.self.text())
                                          : std::nullopt;
  if (!real || std::isnan(*real)) return call.value(0, int64_t{0});
  if (std::abs(*real) >= 9.2e18) fail("a whole number that does not fit 64 bits");
  return static_cast<int64_t>(*real);
}

size_t width_of(const Call& call, size_t i, int64_t otherwise) {
  const int64_t width = call.whole(i, otherwise);
  if (width < 0 || width > 1000) fail("an indentation has up to 1000 spaces");
  return static_cast<size_t>(width);
}

Value indent(const Call& call) {
  if (!call.self.is_text()) fail(fmt::format("indent: expected a string, found '{}'", call.self.type_name()));
  const std::string width(width_of(call, 0, 4), ' ');
  TextBuilder out(call.context);
  bool is_first = true;
  for (const std::string_view line : split_at(call.self.text(), "\n")) {
    const bool indented = is_first ? call.truth(1) : call.truth(2) || !line.empty();
    out << (is_first ? "" : "\n") << (indented ? width : "") << line;
    is_first = false;
  }
  return out.take();
}

Value to_json(const Call& call) {
  if (call.truth(0)) fail("tojson: ensure_ascii is not known here");
  JsonStyle style{.sorted = call.truth(3)};
  if (call.has(1)) style.indent = width_of(call, 1, 0);
  if (call.has(2)) {
    const Values pair = items_of(call.context, call[2]);
    if (pair.size() != 2 || !pair[0].is_text() || !pair[1].is_text()) fail("tojson: separators are two strings");
    style.separators = {pair[0].text(), pair[1].text()};
  }
  return json_text(call.context, call.self, style);
}

Value string(const Call& call) { return written(call.context, call.self); }

constexpr Builtin kFilters[] = {
    {"capitalize", "", 0, mapped<capitalized>},
    {"count", "", 0, count},
    {"d", "default_value boolean", 0, otherwise},
    {"default", "default_value boolean", 0, otherwise},
    {"dictsort", "", 0, dictionary_sort},
    {"first", "", 0, end_of<false>},
    {"indent", "width first blank", 0, indent},
    {"int", "default", 0, to_whole},
    {"items", "", 0, pairs_of},
    {"join", "d attribute", 0, join},
    {"last", "", 0, end_of<true>},
    {"length", "", 0, count},
    {"list", "", 0, [](const Call& call) -> Value { return make_sequence(call.context, items_of(call)); }},
    {"lower", "", 0, mapped<lower_cased>},
    {"map", "*", 0, map},
    {"reject", "*", 0, select<false, false>},
    {"rejectattr", "*", 0, select<false, true>},
    {"replace", "old new count", 2, replace},
    {"reverse", "", 0, reverse},
    {"safe", "", 0, string},  // nothing is ever escaped here
    {"select", "*", 0, select<true, false>},
    {"selectattr", "*", 0, select<true, true>},
    {"sort", "reverse case_sensitive attribute", 0, sort},
    {"string", "", 0, string},
    {"title", "", 0, mapped<title_words>},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, to_json},
    {"trim", "chars", 0, strip<true, true>},
    {"upper", "", 0, mapped<upper_cased>},
};

}  // namespace

const Builtin* find_filter(std::string_view name) { return find_named(kFilters, name); }

}  // namespace eyrie::jinja
