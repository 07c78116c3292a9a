#include "text/jinja/value.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "text/jinja/object.h"
#include "text/jinja/operators.h"
#include "text/unicode.h"

namespace eyrie::jinja {

void fail(const std::string& message) { throw Error(ErrorKind::input, "", message); }

Value Value::undefined(std::string why) {
  return Value(Undefined{std::make_shared<const std::string>(std::move(why))});
}

const std::string& Value::why_undefined() const {
  static const std::string kNoReason = "the value is undefined";
  const auto& why = std::get<Undefined>(data_).why;
  return why ? *why : kNoReason;
}

Value Value::none() { return Value(None{}); }

Value Value::from_json(Work& work, const Json& json) {
  if (json.is_null()) return none();
  if (json.is_boolean()) return json.as_boolean();
  if (json.is_integer()) return json.as_integer();
  if (json.is_number()) return json.as_number();
  if (json.is_text()) return json.as_text();
  if (json.is_array()) {
    Values items;
    for (const Json& item : json.as_array()) items.push_back(from_json(work, item));
    return make_list(work, std::move(items));
  }
  std::vector<Pair> pairs;
  for (const auto& [key, value] : json.as_members()) pairs.emplace_back(key, from_json(work, value));
  return make_dictionary(work, std::move(pairs));
}

bool Value::truth() const {
  if (is_undefined() || is_none()) return false;
  if (is_whole()) return whole() != 0;
  if (is_float()) return number() != 0;
  if (is_text()) return !text().empty();
  if (is_sequence()) return sequence().kind == Sequence::Kind::generator || !sequence().items.empty();
  return is_object() || !dictionary().pairs().empty();
}

int Value::depth() const {
  if (is_object()) return object().depth();
  return is_sequence() ? sequence().depth : is_dictionary() ? dictionary().depth() : 0;
}

const char* Value::type_name() const {
  static constexpr const char* kKinds[] = {"Undefined", "NoneType", "bool", "int",   "float",
                                           "str",       "",         "dict", "object"};
  static constexpr const char* kSequences[] = {"list", "tuple", "tuple", "range", "dict view", "generator"};
  return is_sequence() ? kSequences[static_cast<size_t>(sequence().kind)] : kKinds[data_.index()];
}

int deeper_than(int depth, const Value& part) {
  const int found = std::max(depth, part.depth() + 1);
  if (found > kMostValueDepth) fail(fmt::format("a value nested deeper than {}", kMostValueDepth));
  return found;
}

namespace {

constexpr size_t kFewPairs = 8;  // which are found faster one by one

}  // namespace

Dictionary::Dictionary(Work& work, std::vector<Pair> pairs) {
  work.spend_items(pairs.size());
  const bool hashed = pairs.size() > kFewPairs;
  for (auto& [key, value] : pairs) {
    depth_ = deeper_than(deeper_than(depth_, key), value);
    const size_t hash = hash_of(work, key);
    const size_t place = place_of(work, hash, key);
    if (place < pairs_.size()) {
      pairs_[place].second = std::move(value);
      continue;
    }
    if (hashed) places_.emplace(hash, place);
    pairs_.emplace_back(std::move(key), std::move(value));
  }
}

size_t Dictionary::place_of(Work& work, size_t hash, const Value& key) const {
  if (places_.empty()) {
    const auto is_same = [&](const Pair& pair) { return equal(work, pair.first, key); };
    return static_cast<size_t>(std::find_if(pairs_.begin(), pairs_.end(), is_same) - pairs_.begin());
  }
  const auto [begin, end] = places_.equal_range(hash);
  for (auto place = begin; place != end; ++place)
    if (equal(work, pairs_[place->second].first, key)) return place->second;
  return pairs_.size();
}

const Value* Dictionary::find(Work& work, const Value& key) const {
  const size_t place = place_of(work, hash_of(work, key), key);
  return place < pairs_.size() ? &pairs_[place].second : nullptr;
}

Value make_sequence(Work& work, Sequence::Kind kind, Values items, std::string label) {
  work.spend_items(items.size());
  auto sequence =
      std::make_shared<Sequence>(Sequence{.kind = kind, .items = std::move(items), .label = std::move(label)});
  for (const Value& item : sequence->items) sequence->depth = deeper_than(sequence->depth, item);
  return Value(std::shared_ptr<const Sequence>(std::move(sequence)));
}

Value make_dictionary(Work& work, std::vector<Pair> pairs) {
  return Value(std::make_shared<const Dictionary>(work, std::move(pairs)));
}

Value make_text(Work& work, std::string text, bool markup) {
  work.spend_bytes(text.size());
  return Value(std::move(text), markup);
}

Values items_of(Work& work, const Value& value) {
  Values items;
  if (value.is_sequence()) {
    const Sequence& sequence = value.sequence();
    work.spend_items(sequence.items.size());
    if (sequence.kind == Sequence::Kind::generator && std::exchange(sequence.taken, true)) return {};
    return sequence.items;
  }
  if (value.is_dictionary()) {
    for (const auto& [key, member] : value.dictionary().pairs()) items.push_back(key);
  } else if (value.is_text()) {
    const std::string& text = value.text();
    work.spend_items(std::min(text.size(), kMostItems));
    for (size_t at = 0; at < text.size();) {
      const size_t bytes = code_point_at(text, at).bytes;
      if (items.size() >= kMostItems) work.spend_items(items.size() + 1);
      items.emplace_back(text.substr(at, bytes));
      at += bytes;
    }
  } else if (!value.is_undefined()) {
    fail(fmt::format("'{}' object is not iterable", value.type_name()));
  }
  work.spend_items(items.size());
  return items;
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_text() || value.is_sequence() || value.is_dictionary();
}

std::optional<int64_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_text()) return character_count(value.text());
  if (value.is_dictionary()) return std::ssize(value.dictionary().pairs());
  if (value.is_sequence() && value.sequence().kind != Sequence::Kind::generator)
    return std::ssize(value.sequence().items);
  return std::nullopt;
}

size_t hash_of(Work& work, const Value& value) {
  work.spend();
  if (value.is_text()) {
    work.spend(value.text().size() / 256);
    return std::hash<std::string>()(value.text());
  }
  if (value.is_number()) return std::hash<double>()(value.number());  // 1, 1.0 and True are one key
  if (value.is_dictionary()) fail("unhashable type: 'dict'");
  if (value.is_object()) return std::hash<const void*>()(&value.object());
  if (!value.is_sequence()) return value.is_none();
  if (!value.sequence().is_tuple()) fail(fmt::format("unhashable type: '{}'", value.type_name()));
  size_t hash = value.sequence().items.size();
  for (const Value& item : value.sequence().items) hash = hash * 1000003 + hash_of(work, item);
  return hash;
}

}  // namespace eyrie::jinja
