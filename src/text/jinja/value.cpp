#include "text/jinja/value.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "text/jinja/python.h"
#include "text/unicode.h"

namespace eyrie::jinja {
namespace {

// The depth of a container of `depth` that holds `part`, too.
int deeper_than(int depth, const Value& part) {
  const int found = std::max(depth, part.depth() + 1);
  if (found > kMostValueDepth) fail(fmt::format("a value nested deeper than {}", kMostValueDepth));
  return found;
}

template <typename Pairs>
auto place_of(Work& work, Pairs& pairs, const Value& key) {
  return std::find_if(pairs.begin(), pairs.end(), [&](auto& pair) { return equal(work, pair.first, key); });
}

Values characters_of(Work& work, const std::string& text) {
  Values items;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = code_point_at(text, at).bytes;
    if (items.size() >= kMostItems) work.spend_items(items.size() + 1);
    items.emplace_back(text.substr(at, bytes));
    at += bytes;
  }
  return items;
}

}  // namespace

void fail(const std::string& message) { throw Error(ErrorKind::input, "", message); }

Value::Value(Sequence sequence) : data_(std::make_shared<const Sequence>(std::move(sequence))) {}
Value::Value(Dictionary dictionary) : data_(std::make_shared<const Dictionary>(std::move(dictionary))) {}

Value Value::undefined(std::string why) {
  return Value(Undefined{std::make_shared<const std::string>(std::move(why))});
}

void Value::check_defined() const {
  if (is_undefined()) fail(std::get<Undefined>(data_).why ? *std::get<Undefined>(data_).why : "undefined");
}

Value Value::from_json(Work& work, const Json& json) {
  if (json.is_null()) return none();
  if (json.is_boolean()) return json.as_boolean();
  if (json.is_integer()) return json.as_integer();
  if (json.is_number()) return json.as_number();
  if (json.is_text()) return json.as_text();
  if (json.is_array()) {
    Values items;
    for (const Json& item : json.as_array()) items.push_back(from_json(work, item));
    return make_sequence(work, std::move(items));
  }
  Dictionary dictionary;  // whose keys JSON's reader has found to be different
  work.spend_items(json.as_members().size());
  for (const auto& [key, value] : json.as_members()) {
    dictionary.pairs.emplace_back(key, from_json(work, value));
    dictionary.depth = deeper_than(dictionary.depth, dictionary.pairs.back().second);
  }
  return dictionary;
}

bool Value::is_tuple() const { return is_sequence() && std::get<std::shared_ptr<const Sequence>>(data_)->is_tuple; }

const Values& Value::items() const { return std::get<std::shared_ptr<const Sequence>>(data_)->items; }

bool Value::truth() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return number() != 0;
  if (is_text()) return !text().empty();
  return object() || (is_sequence() ? !items().empty() : !dictionary().pairs.empty());
}

int Value::depth() const {
  if (is_dictionary()) return dictionary().depth;
  return is_sequence() ? std::get<std::shared_ptr<const Sequence>>(data_)->depth : 0;
}

const char* Value::type_name() const {
  static constexpr const char* kKinds[] = {"Undefined", "NoneType", "bool", "int",   "float",
                                           "str",       "list",     "dict", "object"};
  return is_tuple() ? "tuple" : kKinds[data_.index()];
}

const Value* Dictionary::find(Work& work, const Value& key) const {
  const auto found = place_of(work, pairs, key);
  return found == pairs.end() ? nullptr : &found->second;
}

Value make_sequence(Work& work, Values items, bool is_tuple) {
  work.spend_items(items.size());
  Sequence sequence{.items = std::move(items), .is_tuple = is_tuple};
  for (const Value& item : sequence.items) sequence.depth = deeper_than(sequence.depth, item);
  return sequence;
}

Value make_dictionary(Work& work, Pairs pairs) {
  work.spend_items(pairs.size());
  Dictionary made;
  for (auto& [key, value] : pairs) {
    made.depth = deeper_than(deeper_than(made.depth, key), value);
    if (const auto place = place_of(work, made.pairs, key); place != made.pairs.end())
      place->second = std::move(value);
    else
      made.pairs.emplace_back(std::move(key), std::move(value));
  }
  return made;
}

Value make_text(Work& work, std::string_view text) {
  work.spend_bytes(text.size());
  return std::string(text);
}

Values items_of(Work& work, const Value& value) {
  Values items;
  if (value.is_sequence())
    items = value.items();
  else if (value.is_text())
    items = characters_of(work, value.text());
  else if (value.is_dictionary())
    for (const auto& [key, member] : value.dictionary().pairs) items.push_back(key);
  else if (!value.is_undefined())
    fail(fmt::format("'{}' object is not iterable", value.type_name()));
  work.spend_items(items.size());
  return items;
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_text() || value.is_sequence() || value.is_dictionary();
}

int64_t length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_text()) return character_count(value.text());
  if (value.is_dictionary()) return std::ssize(value.dictionary().pairs);
  if (!value.is_sequence()) fail(fmt::format("object of type '{}' has no len()", value.type_name()));
  return std::ssize(value.items());
}

std::optional<Value> Object::attribute(Context&, std::string_view name) {
  for (const auto& [found, value] : members)
    if (found == name) return value;
  return std::nullopt;
}

void Object::set(std::string_view name, Value value) {
  for (auto& [found, old] : members)
    if (found == name) return void(old = std::move(value));
  members.emplace_back(name, std::move(value));
}

}  // namespace eyrie::jinja
