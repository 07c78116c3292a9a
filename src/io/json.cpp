#include "io/json.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/atomic_dir.h"
#include "io/mapped_file.h"
#include "io/python_numbers.h"

namespace eyrie {
namespace {

constexpr size_t kMaxDepth = 64;

Error file_error(const std::string& place, const std::string& message) { return {ErrorKind::file, place, message}; }

Error wrong_type(const char* expected, const Json& found) {
  const bool number = found.is_number() && !std::isfinite(found.as_number());
  std::string text = number ? fmt::format("{}", found.as_number()) : found.dump();
  if (text.size() > 40) text = text.substr(0, 37) + "...";
  return file_error("", fmt::format("expected {}, found {}", expected, text));
}

// Runs `read` on a member's value; an error gets the object's place and the key.
template <typename Read>
decltype(auto) read_member(const std::shared_ptr<const std::string>& place, std::string_view key, const Json* value,
                           Read read) {
  if (!value) throw file_error(place ? *place : "", fmt::format("missing key \"{}\"", key));
  try {
    return read(*value);
  } catch (const Error& error) {
    throw file_error(place ? *place : "", fmt::format("{}: {}", key, error.what()));
  }
}

nlohmann::ordered_json to_nlohmann(const Json& json) {
  if (json.is_boolean()) return json.as_boolean();
  if (json.is_integer()) return json.as_integer();
  if (json.is_number()) return json.as_number();
  if (json.is_text()) return json.as_text();
  if (json.is_array()) {
    auto array = nlohmann::ordered_json::array();
    for (const Json& item : json.as_array()) array.push_back(to_nlohmann(item));
    return array;
  }
  if (json.is_object()) {
    auto object = nlohmann::ordered_json::object();
    for (const auto& [key, value] : json.as_members()) object[key] = to_nlohmann(value);
    return object;
  }
  return nullptr;
}

}  // namespace

// Builds a Json from nlohmann's parse events. `numbers`: what stands for what in the text, if anything does.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonBuilder(std::string_view text, const std::string& place, int64_t line, const PythonNumbers& numbers)
      : text_(text), place_(std::make_shared<const std::string>(place)), line_(line), numbers_(numbers) {}

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(int64_t value) override { return add(Json(value)); }
  // An integer beyond 64 bits is a number, and no integer: whoever asks for one is told.
  bool number_unsigned(uint64_t value) override {
    return add(value > INT64_MAX ? Json(static_cast<double>(value)) : Json(static_cast<int64_t>(value)));
  }
  bool number_float(double value, const std::string& spelling) override {
    return add(Json(spelling == numbers_.marker ? numbers_.values[next_number_++] : value));
  }
  bool string(std::string& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json(Json::Object{{}, place_})); }
  bool start_array(size_t) override { return open(Json(Json::Array{})); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& key) override {
    keys_.back() = std::move(key);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const auto end = text_.begin() + static_cast<std::ptrdiff_t>(std::min(position, text_.size()));
    std::string message = error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: reason"
    const size_t reason = message.find(": ");
    throw file_error(place_of_line(*place_, std::max<int64_t>(line_, 1) + std::count(text_.begin(), end, '\n')),
                     "malformed JSON: " + (reason == std::string::npos ? message : message.substr(reason + 2)));
  }

  Json take() { return std::move(root_); }

 private:
  // A line of JSONL has its number; within a longer text nlohmann tells no position but that of a syntax error.
  std::string here() const { return line_ > 0 ? place_of_line(*place_, line_) : *place_; }
  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* array = std::get_if<Json::Array>(&open_.back().value_)) {
      array->push_back(std::move(value));
    } else {
      std::get<Json::Object>(open_.back().value_).members.emplace_back(std::move(keys_.back()), std::move(value));
    }
    return true;
  }
  bool open(Json container) {
    if (open_.size() >= kMaxDepth) throw file_error(here(), fmt::format("JSON nested deeper than {}", kMaxDepth));
    open_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Json container = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    if (auto* object = std::get_if<Json::Object>(&container.value_)) check_keys(object->members);
    return add(std::move(container));
  }
  void check_keys(const Json::Members& members) const {
    std::vector<std::string_view> keys;
    for (const auto& [key, value] : members) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) throw file_error(here(), fmt::format("key \"{}\" stands twice in one object", *twice));
  }

  std::string_view text_;
  std::shared_ptr<const std::string> place_;
  int64_t line_;
  const PythonNumbers& numbers_;
  size_t next_number_ = 0;
  Json root_;
  std::vector<Json> open_;
  std::vector<std::string> keys_;  // of the member being read, one per open container
};

std::string place_of_line(const std::string& path, int64_t line) { return fmt::format("{}:{}", path, line); }

namespace {

Json build(std::string_view text, const std::string& place, int64_t line, const PythonNumbers& numbers = {}) {
  JsonBuilder builder(text, place, line, numbers);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace

Json Json::parse(std::string_view text, const std::string& place, int64_t line) {
  try {
    return build(text, place, line);
  } catch (const Error&) {
    if (const std::string other = stand_in(text); !other.empty()) throw file_error(place, other);
    const PythonNumbers numbers = take_out_python_numbers(text);
    if (numbers.values.empty()) throw;
    return build(numbers.text, place, line, numbers);
  }
}

Json Json::parse_file(const std::string& path) { return parse(read_file(path), path); }

bool Json::as_boolean() const {
  if (!is_boolean()) throw wrong_type("true or false", *this);
  return std::get<bool>(value_);
}

int64_t Json::as_integer(int64_t min, int64_t max) const {
  if (!is_integer()) throw wrong_type("an integer", *this);
  const int64_t value = std::get<int64_t>(value_);
  if (value < min || value > max) throw wrong_type(fmt::format("an integer from {} to {}", min, max).c_str(), *this);
  return value;
}

double Json::as_number() const {
  if (!is_number()) throw wrong_type("a number", *this);
  return is_integer() ? static_cast<double>(std::get<int64_t>(value_)) : std::get<double>(value_);
}

const std::string& Json::as_text() const {
  if (!is_text()) throw wrong_type("a string", *this);
  return std::get<std::string>(value_);
}

const Json::Array& Json::as_array() const {
  if (!is_array()) throw wrong_type("an array", *this);
  return std::get<Array>(value_);
}

const Json::Object& Json::as_object() const {
  if (!is_object()) throw wrong_type("an object", *this);
  return std::get<Object>(value_);
}

const Json::Members& Json::as_members() const { return as_object().members; }

const Json* Json::find(std::string_view key) const {
  for (const auto& [name, value] : as_object().members)
    if (name == key) return value.is_null() ? nullptr : &value;
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  return read_member(as_object().place, key, find(key), [](const Json& value) -> const Json& { return value; });
}

bool Json::boolean(std::string_view key) const {
  return read_member(as_object().place, key, find(key), [](const Json& value) { return value.as_boolean(); });
}

int64_t Json::integer(std::string_view key, int64_t min, int64_t max) const {
  return read_member(as_object().place, key, find(key), [=](const Json& value) { return value.as_integer(min, max); });
}

double Json::number(std::string_view key) const {
  return read_member(as_object().place, key, find(key), [](const Json& value) {
    if (value.is_number() && !std::isfinite(value.as_number())) throw wrong_type("a finite number", value);
    return value.as_number();
  });
}

const std::string& Json::text(std::string_view key) const {
  return read_member(as_object().place, key, find(key),
                     [](const Json& value) -> const std::string& { return value.as_text(); });
}

const Json::Array& Json::array(std::string_view key) const {
  return read_member(as_object().place, key, find(key),
                     [](const Json& value) -> const Array& { return value.as_array(); });
}

Json& Json::set(std::string_view key, Json value) {
  auto& members = std::get<Object>(value_).members;
  for (auto& [name, old] : members)
    if (name == key) return old = std::move(value), *this;
  members.emplace_back(key, std::move(value));
  return *this;
}

std::string Json::dump(int indent) const {
  return to_nlohmann(*this).dump(indent > 0 ? indent : -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace eyrie
