#include "model/config_keys.h"

#include <fmt/core.h>

#include "base/error.h"
#include "io/atomic_dir.h"

namespace eyrie {

Json parse_config(const std::string& text, const std::string& place) {
  Json config = Json::parse(text, place);
  if (!config.is_object()) throw Error(ErrorKind::file, place, "expected a JSON object");
  return config;
}

Json read_config_file(const std::string& path) { return parse_config(read_file(path), path); }

const Json* find_object(const Json& config, const std::string& place, std::string_view key) {
  const Json* value = config.find(key);
  if (value && !value->is_object())
    throw Error(ErrorKind::file, place, fmt::format("{}: expected an object, found {}", key, value->dump()));
  return value;
}

int64_t integer_or(const Json& config, std::string_view key, int64_t otherwise, int64_t min, int64_t max) {
  return config.find(key) ? config.integer(key, min, max) : otherwise;
}

double number_or(const Json& config, std::string_view key, double otherwise) {
  return config.find(key) ? config.number(key) : otherwise;
}

bool boolean_or(const Json& config, std::string_view key, bool otherwise) {
  return config.find(key) ? config.boolean(key) : otherwise;
}

std::string text_or(const Json& config, std::string_view key, const std::string& otherwise) {
  return config.find(key) ? config.text(key) : otherwise;
}

std::vector<int64_t> integers_or_none(const Json& config, const std::string& place, std::string_view key, int64_t min,
                                      int64_t max) {
  const Json* value = config.find(key);
  if (!value) return {};
  try {
    if (!value->is_array()) return {value->as_integer(min, max)};
    std::vector<int64_t> list;
    for (const Json& item : value->as_array()) list.push_back(item.as_integer(min, max));
    return list;
  } catch (const Error& error) {
    throw Error(ErrorKind::file, place, fmt::format("{}: {}", key, error.what()));
  }
}

double checked(double value, const std::string& place, std::string_view key, double min, double max) {
  if (value >= min && value <= max) return value;
  throw Error(ErrorKind::file, place,
              fmt::format("{}: expected a number from {} to {}, found {}", key, min, max, value));
}

const char* torch_dtype(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float32";
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    default:
      return "";
  }
}

}  // namespace eyrie
