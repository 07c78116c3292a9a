// text/jinja/value.h: the values of templates: Python's, as far as templates meet them. Immutable but for objects
// (namespaces, loops, generators that are read); shared, so a copy is cheap. A container knows how deep it is: what
// walks a value never recurses deeper than kMostValueDepth.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "io/json.h"
#include "text/jinja/work.h"

namespace eyrie::jinja {

inline constexpr int kMostValueDepth = 128;  // JSON's 64, and what a template wraps around it

class Value;
class Dictionary;
class Object;
struct Sequence;
using Values = std::vector<Value>;
using Pair = std::pair<Value, Value>;

struct Text {
  std::string bytes;
  bool markup = false;  // what escape and safe give: another text that is added to it is escaped
};

class Value {
 public:
  Value() = default;  // undefined
  static Value undefined(std::string why);
  static Value none();
  Value(bool value) : data_(value) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(std::string text, bool markup = false) : data_(std::make_shared<const Text>(Text{std::move(text), markup})) {}
  Value(std::shared_ptr<const Sequence> sequence) : data_(std::move(sequence)) {}
  Value(std::shared_ptr<const Dictionary> dictionary) : data_(std::move(dictionary)) {}
  Value(std::shared_ptr<Object> object) : data_(std::move(object)) {}
  static Value from_json(Work& work, const Json& json);

  bool is_undefined() const { return holds<Undefined>(); }
  bool is_none() const { return holds<None>(); }
  bool is_boolean() const { return holds<bool>(); }
  bool is_whole() const { return holds<int64_t>() || holds<bool>(); }  // as Python's int, which True is, too
  bool is_float() const { return holds<double>(); }
  bool is_number() const { return is_whole() || is_float(); }
  bool is_text() const { return holds<std::shared_ptr<const Text>>(); }
  bool is_markup() const { return is_text() && std::get<std::shared_ptr<const Text>>(data_)->markup; }
  bool is_sequence() const { return holds<std::shared_ptr<const Sequence>>(); }
  bool is_dictionary() const { return holds<std::shared_ptr<const Dictionary>>(); }
  bool is_object() const { return holds<std::shared_ptr<Object>>(); }

  // Of the kind that was asked for before.
  int64_t whole() const { return is_boolean() ? std::get<bool>(data_) : std::get<int64_t>(data_); }
  double number() const { return is_float() ? std::get<double>(data_) : static_cast<double>(whole()); }
  const std::string& text() const { return std::get<std::shared_ptr<const Text>>(data_)->bytes; }
  const Sequence& sequence() const { return *std::get<std::shared_ptr<const Sequence>>(data_); }
  const Dictionary& dictionary() const { return *std::get<std::shared_ptr<const Dictionary>>(data_); }
  Object& object() const { return *std::get<std::shared_ptr<Object>>(data_); }
  std::shared_ptr<Object> shared_object() const { return std::get<std::shared_ptr<Object>>(data_); }
  const std::string& why_undefined() const;

  bool truth() const;
  bool same_as(const Value& other) const { return data_ == other.data_; }  // Python's `is`
  int depth() const;                                                       // 0: no container
  const char* type_name() const;                                           // as Python's errors say it

 private:
  struct None {
    bool operator==(const None&) const { return true; }
  };
  struct Undefined {
    std::shared_ptr<const std::string> why;
    bool operator==(const Undefined& other) const { return why == other.why; }
  };
  using Data =
      std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>, std::shared_ptr<const Sequence>,
                   std::shared_ptr<const Dictionary>, std::shared_ptr<Object>>;
  explicit Value(None none) : data_(none) {}
  explicit Value(Undefined undefined) : data_(std::move(undefined)) {}
  template <typename Kind>
  bool holds() const {
    return std::holds_alternative<Kind>(data_);
  }
  Data data_;
};

// Python's list and what is like it. A generator is true even when empty, has no length, and is read once.
struct Sequence {
  enum class Kind { list, tuple, group, range, view, generator };
  Kind kind = Kind::list;
  Values items;
  std::string label;  // how a range or a view (dict_items, ...) is written
  int depth = 1;
  mutable bool taken = false;  // a generator that was read

  bool is_tuple() const { return kind == Kind::tuple || kind == Kind::group; }
  bool is_indexed() const { return kind != Kind::view && kind != Kind::generator; }
};

// In the order of insertion. Keys are any values that Python can hash.
class Dictionary {
 public:
  Dictionary(Work& work, std::vector<Pair> pairs);  // of two pairs with one key the later's value, the earlier's place
  const std::vector<Pair>& pairs() const { return pairs_; }
  const Value* find(Work& work, const Value& key) const;
  int depth() const { return depth_; }

 private:
  size_t place_of(Work& work, size_t hash, const Value& key) const;  // pairs_.size(): nowhere
  std::vector<Pair> pairs_;
  std::unordered_multimap<size_t, size_t> places_;  // by hash, of more than a few pairs
  int depth_ = 1;
};

int deeper_than(int depth, const Value& part);  // the depth of a container of `depth` that holds `part`, too; or Error

// Charged to `work`; Error when too large or too deep.
Value make_sequence(Work& work, Sequence::Kind kind, Values items, std::string label = "");
inline Value make_list(Work& work, Values items) { return make_sequence(work, Sequence::Kind::list, std::move(items)); }
inline Value make_tuple(Work& work, Values items) {
  return make_sequence(work, Sequence::Kind::tuple, std::move(items));
}
Value make_dictionary(Work& work, std::vector<Pair> pairs);
Value make_text(Work& work, std::string text, bool markup = false);

// What a `for` would see: items, keys, characters. Error for what cannot be iterated; empties a generator.
Values items_of(Work& work, const Value& value);
bool is_iterable(const Value& value);
std::optional<int64_t> length_of(const Value& value);  // none where Python's len() raises

size_t hash_of(Work& work, const Value& value);  // Error for a list or dict

}  // namespace eyrie::jinja
