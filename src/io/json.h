// io/json.h: the one reader and writer of JSON. Reading is checked: depth at most 64, no duplicate keys, integers exact
// (one that does not fit 64 bits is a number and no integer, never wrapped), text valid UTF-8. NaN, Infinity and
// numbers beyond a double are read as Python does; who asks for such a number by its key is told. Errors are
// Error{file} and say the place, the line, the key, what was expected and what was found.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace eyrie {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Members = std::vector<Member>;  // in the order of the text

  // `place` names the source in errors; `line` is the line of JSONL that `text` is.
  static Json parse(std::string_view text, const std::string& place, int64_t line = 0);
  static Json parse_file(const std::string& path);

  Json() = default;  // null
  Json(bool value) : value_(value) {}
  Json(int value) : value_(int64_t{value}) {}
  Json(int64_t value) : value_(value) {}
  Json(double value) : value_(value) {}  // NaN and infinities are written as null
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  static Json object(Members members = {}) { return Json(Object{std::move(members), nullptr}); }
  Json& set(std::string_view key, Json value);  // adds or replaces a member; returns *this

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_boolean() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return std::holds_alternative<int64_t>(value_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_text() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // The value itself, or Error saying what it is instead.
  bool as_boolean() const;
  int64_t as_integer(int64_t min = INT64_MIN, int64_t max = INT64_MAX) const;
  double as_number() const;  // NaN and infinities too
  const std::string& as_text() const;
  const Array& as_array() const;
  const Members& as_members() const;

  // Members of an object. `find` gives null when the key is absent or its value is null; the others throw then.
  const Json* find(std::string_view key) const;
  const Json& at(std::string_view key) const;
  bool boolean(std::string_view key) const;
  int64_t integer(std::string_view key, int64_t min = INT64_MIN, int64_t max = INT64_MAX) const;
  double number(std::string_view key) const;  // finite
  const std::string& text(std::string_view key) const;
  const Array& array(std::string_view key) const;

  // One line, or indented when indent > 0. Text that is not UTF-8 is written with U+FFFD.
  std::string dump(int indent = 0) const;

 private:
  friend class JsonBuilder;
  struct Object {
    Members members;
    std::shared_ptr<const std::string> place;  // where the text came from, for errors
  };
  explicit Json(Object object) : value_(std::move(object)) {}
  const Object& as_object() const;
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

// An error in a line of a JSONL file gets this place: "path:line".
std::string place_of_line(const std::string& path, int64_t line);

}  // namespace eyrie
