// model/config_keys.h: a key of a config.json, or its default when it is absent or null. Errors: Error{file} with the
// file, the key, expected and found.
#pragma once
#include <string>
#include <vector>

#include "io/json.h"
#include "tensor/dtype.h"

namespace eyrie {

Json parse_config(const std::string& text, const std::string& place);  // an object, or Error{file}
Json read_config_file(const std::string& path);
// An object, or null when absent.
const Json* find_object(const Json& config, const std::string& place, std::string_view key);
int64_t integer_or(const Json& config, std::string_view key, int64_t otherwise, int64_t min, int64_t max);
double number_or(const Json& config, std::string_view key, double otherwise);
bool boolean_or(const Json& config, std::string_view key, bool otherwise);
std::string text_or(const Json& config, std::string_view key, const std::string& otherwise);
// One integer, or an array of them; empty when absent.
std::vector<int64_t> integers_or_none(const Json& config, const std::string& place, std::string_view key, int64_t min,
                                      int64_t max);
// Refuses what is not finite or lies outside [min, max].
double checked(double value, const std::string& place, std::string_view key, double min, double max);

const char* torch_dtype(DType dtype);  // "bfloat16": how `torch_dtype` names it; "" for what is no float

}  // namespace eyrie
