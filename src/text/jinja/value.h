// text/jinja/value.h: the values of templates: Python's, as far as templates meet them. Immutable but for objects;
// shared, so a copy is cheap. A container knows how deep it is: what walks a value never recurses deeper than
// kMostValueDepth.
#pragma once
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "io/json.h"

namespace eyrie::jinja {

// What one rendering may cost. Every evaluated expression and statement is a step, so are so many bytes written or
// items copied: time and memory are bounded by the same count.
inline constexpr size_t kMostSteps = 1'000'000;
inline constexpr size_t kMostBytes = size_t{8} << 20;  // of the output and of any text
inline constexpr size_t kMostItems = 100'000;          // of a range, as in jinja's sandbox, and of any sequence
inline constexpr int kMostDepth = 64;                  // of nested syntax, and of macro calls
inline constexpr int kMostNesting = 500;               // of both together, when rendering

// Error{input}; the interpreter adds place and line.
[[noreturn]] void fail(const std::string& message);

class Work {
 public:
  void spend(size_t steps = 1) {
    if ((steps_ += steps) > kMostSteps) fail("the template takes more than " + std::to_string(kMostSteps) + " steps");
  }
  // Before so many bytes are made, in all or as one text.
  void spend_bytes(size_t bytes) {
    if (bytes > kMostBytes) fail("a text of more than " + std::to_string(kMostBytes) + " bytes");
    spend(bytes / 256);
  }
  void spend_items(size_t items) {
    if (items > kMostItems) fail("a sequence of more than " + std::to_string(kMostItems) + " items");
    spend(items / 16);
  }

 private:
  size_t steps_ = 0;
};

// A text that grows, within the bounds.
class TextBuilder {
 public:
  explicit TextBuilder(Work& work) : work_(work) {}
  TextBuilder& operator<<(std::string_view piece) {
    if (text_.size() + piece.size() > kMostBytes) work_.spend_bytes(text_.size() + piece.size());
    charged_ += piece.size();
    work_.spend(charged_ / 256);
    charged_ %= 256;
    text_ += piece;
    return *this;
  }
  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  Work& work_;
  std::string text_;
  size_t charged_ = 0;
};

inline constexpr int kMostValueDepth = 128;  // JSON's 64, and what a template wraps around it

class Value;
struct Object;
struct Sequence;
struct Dictionary;
using Values = std::vector<Value>;
using Pairs = std::vector<std::pair<Value, Value>>;

class Value {
 public:
  Value() = default;  // undefined
  static Value undefined(std::string why);
  static Value none() { return Value(std::monostate()); }
  Value(bool value) : data_(value) {}
  Value(int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  Value(Sequence sequence);
  Value(Dictionary dictionary);
  Value(Object* object) : data_(object) {}
  static Value from_json(Work& work, const Json& json);

  bool is_undefined() const { return holds<Undefined>(); }
  bool is_none() const { return holds<std::monostate>(); }
  bool is_boolean() const { return holds<bool>(); }
  bool is_whole() const { return holds<int64_t>() || holds<bool>(); }  // as Python's int, which True is, too
  bool is_float() const { return holds<double>(); }
  bool is_number() const { return is_whole() || is_float(); }
  bool is_text() const { return holds<std::shared_ptr<const std::string>>(); }
  bool is_sequence() const { return holds<std::shared_ptr<const Sequence>>(); }
  bool is_tuple() const;
  bool is_dictionary() const { return holds<std::shared_ptr<const Dictionary>>(); }

  // Of the kind that was asked for before.
  int64_t whole() const { return is_boolean() ? std::get<bool>(data_) : std::get<int64_t>(data_); }
  double number() const { return is_float() ? std::get<double>(data_) : static_cast<double>(whole()); }
  const std::string& text() const { return *std::get<std::shared_ptr<const std::string>>(data_); }
  const Values& items() const;
  const Dictionary& dictionary() const { return *std::get<std::shared_ptr<const Dictionary>>(data_); }
  Object* object() const { return holds<Object*>() ? std::get<Object*>(data_) : nullptr; }  // null: it is none

  bool truth() const;
  bool same_as(const Value& other) const { return data_ == other.data_; }
  int depth() const;              // 0: no container
  const char* type_name() const;  // as Python's errors say it
  void check_defined() const;

 private:
  struct Undefined {
    std::shared_ptr<const std::string> why;
    bool operator==(const Undefined&) const { return true; }
  };
  explicit Value(std::monostate none) : data_(none) {}
  explicit Value(Undefined undefined) : data_(std::move(undefined)) {}
  template <typename Kind>
  bool holds() const {
    return std::holds_alternative<Kind>(data_);
  }
  std::variant<Undefined, std::monostate, bool, int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const Sequence>, std::shared_ptr<const Dictionary>, Object*>
      data_;
};

struct Sequence {
  Values items;
  bool is_tuple = false;
  int depth = 1;
};

// In the order of insertion. What a chat holds is found soonest one by one.
struct Dictionary {
  Pairs pairs;
  int depth = 1;
  const Value* find(Work& work, const Value& key) const;
};

// Charged to `work`; Error when too large or too deep. Of two pairs with one key the later's value counts.
Value make_sequence(Work& work, Values items, bool is_tuple = false);
Value make_dictionary(Work& work, Pairs pairs);
Value make_text(Work& work, std::string_view text);

// What a `for` would see: items, keys, characters. Error for what cannot be iterated.
Values items_of(Work& work, const Value& value);
bool is_iterable(const Value& value);
int64_t length_of(const Value& value);  // Error where Python's len() raises

struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};

struct Context;
// A value with a state or a call: a function, a namespace (`{% set space.name = value %}` writes its members), a loop.
struct Object {
  std::function<Value(Context&, Arguments)> call = {};
  bool is_namespace = false;
  std::vector<std::pair<std::string, Value>> members = {};

  virtual ~Object() = default;
  virtual std::optional<Value> attribute(Context&, std::string_view name);
  void set(std::string_view name, Value value);
};

// What functions, filters, tests and methods may use beside their arguments.
struct Context : Work {
  explicit Context(const std::tm& instant) : now(instant) {}
  std::tm now;
  int builtins = 0;                              // that call each other: map('map', 'map', ...)
  std::vector<std::unique_ptr<Object>> objects;  // which may hold each other: freed together, at the end

  Object* keep(std::unique_ptr<Object> object) {
    spend(4);
    return objects.emplace_back(std::move(object)).get();
  }
};

}  // namespace eyrie::jinja
