#include "io/eos_token_ids.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/json.h"

namespace eyrie {

std::vector<int32_t> eos_token_ids(const std::string& model_directory) {
  std::vector<int32_t> ids;
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::filesystem::path path = std::filesystem::path(model_directory) / name;
    if (!std::filesystem::exists(path)) continue;
    const Json config = Json::parse_file(path.string());
    const Json* found = at_place(path.string(), [&] { return config.find("eos_token_id"); });
    if (!found) continue;
    at_place(path.string() + ": eos_token_id", [&] {
      for (const Json& id : found->is_array() ? found->as_array() : Json::Array{*found}) {
        const auto token = static_cast<int32_t>(id.as_integer(0, INT32_MAX));
        if (std::find(ids.begin(), ids.end(), token) == ids.end()) ids.push_back(token);
      }
    });
  }
  return ids;
}

}  // namespace eyrie
