// model/rope_config.h: RoPE in a config.json, both spellings:
//   old  "rope_theta": N, "rope_scaling": null | {"rope_type" | "type": NAME, ...}
//   new  "rope_parameters": {"rope_type": NAME, "rope_theta": N, ...}
#pragma once
#include "model/config.h"

namespace eyrie {

// No theta at all means 10000. Both spellings in one file must say the same. Error{file} names what it found.
RopeConfig read_rope(const Json& config, const std::string& place, int64_t max_positions);
// Both spellings.
void write_rope(Json& config, const RopeConfig& rope);
bool operator==(const RopeConfig& a, const RopeConfig& b);
const char* name(RopeKind kind);
// "llama3, theta 500000, factor 8, original positions 8192"
std::string to_string(const RopeConfig& rope);

}  // namespace eyrie
