// Filters of sequences and dicts.
#include <fmt/core.h>

#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace eyrie::jinja {
namespace {

Value make_generator(Context& context, Values items) {
  return make_sequence(context.work, Sequence::Kind::generator, std::move(items));
}

// What is compared of an item: it, or an attribute, in lower case unless case counts.
struct Key {
  Context& context;
  const Value attribute;  // None: the item itself
  bool case_sensitive;
  const Value otherwise = Value::none();  // for an attribute that is undefined; None: none

  Value raw(const Value& item) const {
    return attribute.is_none() ? item : path_of(context, item, attribute, otherwise);
  }
  Value operator()(const Value& item) const {
    const Value found = raw(item);
    return case_sensitive || !found.is_text() ? found : make_text(context.work, lower_cased(found.text()));
  }
};

// Stable, as Python's; equal items keep their order when reversed, too.
template <typename MakeKey>
Values sorted(Context& context, Values items, bool reverse, MakeKey key_of) {
  std::vector<Pair> keyed;
  for (Value& item : items) {
    Value key = key_of(item);
    keyed.emplace_back(std::move(key), std::move(item));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Pair& left, const Pair& right) {
    return order(context.work, reverse ? right.first : left.first, reverse ? left.first : right.first) < 0;
  });
  for (size_t i = 0; i < items.size(); ++i) items[i] = std::move(keyed[i].second);
  return items;
}

Value sort(Context& context, const Value& self, const Bound& arguments) {
  Values attributes = {arguments.value(2, Value::none())};
  if (attributes[0].is_text()) {
    const std::string text = attributes[0].text();
    attributes.clear();
    for (const std::string_view path : split_at(text, ",", SIZE_MAX, false)) attributes.emplace_back(std::string(path));
  }
  const auto key_of = [&](const Value& item) {
    Values keys;
    for (const Value& attribute : attributes) keys.push_back(Key{context, attribute, arguments.truth(1, false)}(item));
    return make_list(context.work, std::move(keys));
  };
  return make_list(context.work, sorted(context, items_of(context.work, self), arguments.truth(0, false), key_of));
}

Value dictionary_sort(Context& context, const Value& self, const Bound& arguments) {
  const std::string key = "key", &by = arguments.text(1, key);
  if (by != "key" && by != "value") fail("dictsort: sorts by \"key\" or \"value\"");
  if (!self.is_dictionary()) fail(fmt::format("dictsort: expected a dict, found '{}'", self.type_name()));
  Values pairs;
  for (const auto& [name, value] : self.dictionary().pairs()) pairs.push_back(make_tuple(context.work, {name, value}));
  const Key key_of{context, Value(int64_t{by == "value"}), arguments.truth(0, false)};
  return make_list(context.work, sorted(context, std::move(pairs), arguments.truth(2, false), key_of));
}

Value group_by(Context& context, const Value& self, const Bound& arguments) {
  const Key key_of{context, arguments[0], arguments.truth(2, false), arguments.value(1, Value::none())};
  Values groups, group;
  std::optional<Value> last;
  const auto close = [&] {
    if (!last) return;
    const Value shown = key_of.case_sensitive ? *last : key_of.raw(group[0]);
    const Value members = make_list(context.work, std::exchange(group, {}));
    groups.push_back(make_sequence(context.work, Sequence::Kind::group, {shown, members}));
  };
  for (Value& item : sorted(context, items_of(context.work, self), false, key_of)) {
    Value key = key_of(item);
    if (!last || !equal(context.work, *last, key)) close(), last = std::move(key);
    group.push_back(std::move(item));
  }
  close();
  return make_list(context.work, std::move(groups));
}

Value unique(Context& context, const Value& self, const Bound& arguments) {
  const Key key_of{context, arguments.value(1, Value::none()), arguments.truth(0, false)};
  const Values items = items_of(context.work, self);
  std::vector<Pair> seen;
  for (size_t i = 0; i < items.size(); ++i) seen.emplace_back(key_of(items[i]), static_cast<int64_t>(i));
  std::reverse(seen.begin(), seen.end());  // of equal keys the last one's place is kept: the first item's
  const Dictionary last(context.work, std::move(seen));
  std::vector<int64_t> places;
  for (const auto& [key, place] : last.pairs()) places.push_back(place.whole());
  std::sort(places.begin(), places.end());
  Values kept;
  for (const int64_t place : places) kept.push_back(items[static_cast<size_t>(place)]);
  return make_generator(context, std::move(kept));
}

template <bool largest>
Value extreme(Context& context, const Value& self, const Bound& arguments) {
  const Key key_of{context, arguments.value(1, Value::none()), arguments.truth(0, false)};
  std::optional<Value> best, best_key;
  for (const Value& item : items_of(context.work, self)) {
    const Value key = key_of(item);
    const auto found = best_key ? order(context.work, key, *best_key) : std::partial_ordering::unordered;
    if (best_key && (largest ? !(found > 0) : !(found < 0))) continue;
    best = item;
    best_key = key;
  }
  return best ? *best : Value::undefined("No aggregated item, sequence was empty.");
}

// The name of a filter or test that another filter applies is known only now.
const Builtin& named_builtin(const Value& name, const Builtin* (*find)(std::string_view), const char* kind) {
  const Builtin* found = name.is_text() ? find(name.text()) : nullptr;
  if (!found)
    fail(fmt::format("a {} that is not known here: {}", kind, name.is_text() ? name.text() : name.type_name()));
  return *found;
}

Arguments without_first(const Arguments& arguments, size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

Value map_attribute(Context& context, const Value& self, const Arguments& given) {
  Value attribute = Value::none(), otherwise = Value::none();
  for (const auto& [name, value] : given.named) {
    if (name != "attribute" && name != "default") fail(fmt::format("map takes no argument '{}' here", name));
    (name == "attribute" ? attribute : otherwise) = value;
  }
  if (attribute.is_none()) fail("map needs a filter's name, or attribute=");
  const Key key{context, attribute, true, otherwise};
  Values results;
  for (const Value& item : items_of(context.work, self)) results.push_back(key(item));
  return make_generator(context, std::move(results));
}

Value map(Context& context, const Value& self, const Bound& arguments) {
  const Arguments& given = arguments.any();
  if (!self.truth()) return make_generator(context, {});
  if (given.positional.empty()) return map_attribute(context, self, given);
  const Builtin& filter = named_builtin(given.positional[0], find_filter, "filter");
  const Arguments rest = without_first(given, 1);
  Values results;
  for (const Value& item : items_of(context.work, self)) results.push_back(call_builtin(context, filter, item, rest));
  return make_generator(context, std::move(results));
}

// select, reject, and the same by an attribute: items for which a test (none: their truth) says `wanted`.
template <bool wanted, bool by_attribute>
Value select(Context& context, const Value& self, const Bound& arguments) {
  const Arguments& given = arguments.any();
  if (!self.truth()) return make_generator(context, {});
  if (by_attribute && given.positional.empty()) fail("an attribute's name is missing");
  const size_t names = by_attribute ? 1 : 0;
  const bool has_test = given.positional.size() > names;
  const Builtin* test = has_test ? &named_builtin(given.positional[names], find_test, "test") : nullptr;
  const Arguments rest = has_test ? without_first(given, names + 1) : Arguments{};
  Values kept;
  for (const Value& item : items_of(context.work, self)) {
    const Value tested = by_attribute ? path_of(context, item, given.positional[0]) : item;
    if ((test ? call_builtin(context, *test, tested, rest) : tested).truth() == wanted) kept.push_back(item);
  }
  return make_generator(context, std::move(kept));
}

Value batch(Context& context, const Value& self, const Bound& arguments) {
  const auto count = static_cast<size_t>(std::max<int64_t>(1, arguments.whole(0, 1)));
  Values items = items_of(context.work, self), batches;
  for (size_t begin = 0; begin < items.size(); begin += std::min(count, items.size() - begin)) {
    const size_t end = std::min(items.size(), begin + std::min(count, items.size()));
    Values part(items.begin() + static_cast<std::ptrdiff_t>(begin), items.begin() + static_cast<std::ptrdiff_t>(end));
    if (arguments.has(1) && !arguments[1].is_none() && part.size() < count) {
      context.work.spend_items(count);
      part.resize(count, arguments[1]);
    }
    batches.push_back(make_list(context.work, std::move(part)));
  }
  return make_generator(context, std::move(batches));
}

Value slices(Context& context, const Value& self, const Bound& arguments) {
  const Values items = items_of(context.work, self);
  const int64_t asked = arguments.whole(0, 1);
  if (asked == 0) fail("integer division or modulo by zero");
  const auto count = static_cast<size_t>(std::max<int64_t>(0, asked));
  context.work.spend_items(count);
  Values parts;
  for (size_t i = 0, begin = 0; i < count; ++i) {
    const size_t size = items.size() / count + (i < items.size() % count ? 1 : 0);
    Values part(items.begin() + static_cast<std::ptrdiff_t>(begin),
                items.begin() + static_cast<std::ptrdiff_t>(begin + size));
    begin += size;
    if (arguments.has(1) && !arguments[1].is_none() && i >= items.size() % count) part.push_back(arguments[1]);
    parts.push_back(make_list(context.work, std::move(part)));
  }
  return make_generator(context, std::move(parts));
}

Value count(Context&, const Value& self, const Bound&) {
  const std::optional<int64_t> found = length_of(self);
  if (!found) fail(fmt::format("object of type '{}' has no len()", self.type_name()));
  return *found;
}

Value otherwise(Context&, const Value& self, const Bound& arguments) {
  const bool missing = self.is_undefined() || (arguments.truth(1, false) && !self.truth());
  return missing ? arguments.value(0, "") : self;
}

Value first(Context& context, const Value& self, const Bound&) {
  const Values items = items_of(context.work, self);
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

Value last(Context& context, const Value& self, const Bound&) {
  if (self.is_sequence() && self.sequence().kind == Sequence::Kind::generator) fail("a generator has no last item");
  const Values items = items_of(context.work, self);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value pairs_of(Context& context, const Value& self, const Bound&) {
  Values pairs;
  if (self.is_dictionary())
    for (const auto& [key, value] : self.dictionary().pairs()) pairs.push_back(make_tuple(context.work, {key, value}));
  else if (!self.is_undefined())
    fail("items: can only get item pairs from a mapping");
  return make_generator(context, std::move(pairs));
}

Value join(Context& context, const Value& self, const Bound& arguments) {
  const Key key{context, arguments.value(1, Value::none()), true};
  const std::string between = written(context.work, arguments.value(0, ""));
  TextBuilder out(context.work);
  bool is_first = true;
  for (const Value& item : items_of(context.work, self)) {
    if (!is_first) out << between;
    is_first = false;
    write(context.work, out, key(item));
  }
  return Value(out.take());
}

Value list(Context& context, const Value& self, const Bound&) {
  return make_list(context.work, items_of(context.work, self));
}

Value reverse(Context& context, const Value& self, const Bound&) {
  Values items = items_of(context.work, self);
  std::reverse(items.begin(), items.end());
  const bool is_generator = self.is_sequence() && self.sequence().kind == Sequence::Kind::generator;
  if (is_generator) return make_list(context.work, std::move(items));  // Python reverses only what has a length
  if (!self.is_text()) return make_generator(context, std::move(items));
  std::string text;
  for (const Value& item : items) text += item.text();
  return make_text(context.work, std::move(text), self.is_markup());
}

Value sum(Context& context, const Value& self, const Bound& arguments) {
  const Key key{context, arguments.value(0, Value::none()), true};
  Value total = arguments.value(1, int64_t{0});
  if (total.is_text()) fail("sum: strings are joined by join");
  for (const Value& item : items_of(context.work, self))
    total = arithmetic(context.work, Operator::add, total, key(item));
  return total;
}

Value attribute(Context& context, const Value& self, const Bound& arguments) {
  const std::string& name = arguments.text(0, "");
  if (self.is_dictionary() && !find_method(self, name))
    return Value::undefined(fmt::format("'dict object' has no attribute '{}'", name));
  return attribute_of(context, self, name);
}

constexpr Builtin kFilters[] = {
    {"attr", "name", 1, attribute},
    {"batch", "linecount fill_with", 1, batch},
    {"count", "", 0, count},
    {"d", "default_value boolean", 0, otherwise},
    {"default", "default_value boolean", 0, otherwise},
    {"dictsort", "case_sensitive by reverse", 0, dictionary_sort},
    {"first", "", 0, first},
    {"groupby", "attribute default case_sensitive", 1, group_by},
    {"items", "", 0, pairs_of},
    {"join", "d attribute", 0, join},
    {"last", "", 0, last},
    {"length", "", 0, count},
    {"list", "", 0, list},
    {"map", "*", 0, map},
    {"max", "case_sensitive attribute", 0, extreme<true>},
    {"min", "case_sensitive attribute", 0, extreme<false>},
    {"reject", "*", 0, select<false, false>},
    {"rejectattr", "*", 0, select<false, true>},
    {"reverse", "", 0, reverse},
    {"select", "*", 0, select<true, false>},
    {"selectattr", "*", 0, select<true, true>},
    {"slice", "slices fill_with", 1, slices},
    {"sort", "reverse case_sensitive attribute", 0, sort},
    {"sum", "attribute start", 0, sum},
    {"unique", "case_sensitive attribute", 0, unique},
};

}  // namespace

Builtins sequence_filters() { return kFilters; }

}  // namespace eyrie::jinja
