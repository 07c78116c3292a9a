#include "model/rope_config.h"

#include <fmt/core.h>

#include <cmath>
#include <tuple>

#include "base/error.h"
#include "base/named.h"
#include "model/config_keys.h"

namespace eyrie {
namespace {

constexpr double kDefaultTheta = 10000, kMaxTheta = 1e15, kMaxFactor = 1e6, kMaxOriginal = 1e9, kMaxBeta = 1e6;

constexpr struct {
  RopeKind kind;
  const char* name;
} kKinds[] = {{RopeKind::standard, "default"},
              {RopeKind::linear, "linear"},
              {RopeKind::llama3, "llama3"},
              {RopeKind::yarn, "yarn"}};

RopeKind find_kind(const std::string& text, const std::string& place) {
  if (const auto* found = find_named(kKinds, text)) return found->kind;
  throw Error(ErrorKind::file, place,
              fmt::format("RoPE type \"{}\" is not supported; supported: {}", text, names_of(kKinds)));
}

// Some of each head's dimensions alone: what the code of our families would do, and we do not.
void refuse_partial(const Json& object, const std::string& place) {
  constexpr const char* kKey = "partial_rotary_factor";
  if (const double share = number_or(object, kKey, 1); share != 1)
    throw Error(ErrorKind::file, place, fmt::format("{} = {} is not supported (only 1)", kKey, share));
}

// The numbers of one `rope_scaling` or `rope_parameters` object.
class RopeObject {
 public:
  RopeObject(const Json& object, const std::string& place, int64_t max_positions)
      : object_(object), place_(place), max_positions_(static_cast<double>(max_positions)) {}

  RopeConfig read(double theta) const {
    for (const auto& [key, value] : object_.as_members())
      if (value.is_object())
        throw Error(ErrorKind::file, place_,
                    fmt::format("rope_parameters: \"{}\" is an object: RoPE per layer type is not supported", key));
    refuse_partial(object_, place_);
    RopeConfig rope;
    rope.theta = theta;
    rope.kind = find_kind(text_or(object_, "rope_type", text_or(object_, "type", "default")), place_);
    if (rope.kind == RopeKind::linear) rope.factor = factor();
    if (rope.kind == RopeKind::llama3) read_llama3(rope);
    if (rope.kind == RopeKind::yarn) read_yarn(rope);
    return rope;
  }

 private:
  double get(const char* key, double min, double max) const {
    return checked(object_.number(key), place_, key, min, max);
  }
  double get_or(const char* key, double otherwise, double min, double max) const {
    return object_.find(key) ? get(key, min, max) : otherwise;
  }
  double factor() const { return get("factor", 1, kMaxFactor); }

  void read_llama3(RopeConfig& rope) const {
    rope.factor = factor();
    rope.original_max_positions = get("original_max_position_embeddings", 1, kMaxOriginal);
    rope.low_frequency_factor = get("low_freq_factor", 1e-6, kMaxFactor);
    rope.high_frequency_factor = get("high_freq_factor", 1e-6, kMaxFactor);
    if (rope.low_frequency_factor >= rope.high_frequency_factor)
      throw Error(ErrorKind::file, place_,
                  fmt::format("high_freq_factor: expected more than low_freq_factor {}, found {}",
                              rope.low_frequency_factor, rope.high_frequency_factor));
  }

  void read_yarn(RopeConfig& rope) const {
    rope.original_max_positions = get_or("original_max_position_embeddings", max_positions_, 1, kMaxOriginal);
    const bool by_positions = !object_.find("factor") && object_.find("original_max_position_embeddings");
    rope.factor = by_positions ? checked(max_positions_ / rope.original_max_positions, place_, "factor", 1, kMaxFactor)
                               : factor();
    rope.beta_fast = get_or("beta_fast", 32, 1e-6, kMaxBeta);
    rope.beta_slow = get_or("beta_slow", 1, 1e-6, kMaxBeta);
    rope.truncate = boolean_or(object_, "truncate", true);
    if (object_.find("attention_factor"))
      rope.attention_factor = get("attention_factor", 1e-6, kMaxFactor);
    else if (object_.find("mscale") && object_.find("mscale_all_dim"))
      rope.attention_factor = magnitude(rope.factor, "mscale") / magnitude(rope.factor, "mscale_all_dim");
  }
  // DeepSeek's spelling of the attention factor: a ratio of two such magnitudes.
  double magnitude(double factor, const char* key) const {
    return 0.1 * get(key, 0, kMaxFactor) * std::log(factor) + 1;
  }

  const Json& object_;
  const std::string& place_;
  double max_positions_;
};

double read_theta(const Json& object, const std::string& place, double otherwise) {
  return checked(number_or(object, "rope_theta", otherwise), place, "rope_theta", 1 + 1e-6, kMaxTheta);
}

}  // namespace

const char* name(RopeKind kind) { return kKinds[static_cast<size_t>(kind)].name; }

bool operator==(const RopeConfig& a, const RopeConfig& b) {
  const auto members = [](const RopeConfig& r) {
    return std::tie(r.kind, r.theta, r.factor, r.original_max_positions, r.low_frequency_factor,
                    r.high_frequency_factor, r.beta_fast, r.beta_slow, r.attention_factor, r.truncate);
  };
  return members(a) == members(b);
}

std::string to_string(const RopeConfig& rope) {
  std::string text = fmt::format("{}, theta {}", name(rope.kind), rope.theta);
  if (rope.kind != RopeKind::standard) text += fmt::format(", factor {}", rope.factor);
  if (rope.original_max_positions > 0) text += fmt::format(", original positions {}", rope.original_max_positions);
  if (rope.kind == RopeKind::llama3)
    text += fmt::format(", frequency factors {} and {}", rope.low_frequency_factor, rope.high_frequency_factor);
  if (rope.kind == RopeKind::yarn) text += fmt::format(", betas {} and {}", rope.beta_fast, rope.beta_slow);
  if (rope.attention_factor) text += fmt::format(", attention factor {}", *rope.attention_factor);
  return text;
}

RopeConfig read_rope(const Json& config, const std::string& place, int64_t max_positions) {
  static const Json kNothing = Json::object();
  const Json* scaling = find_object(config, place, "rope_scaling");
  const Json* parameters = find_object(config, place, "rope_parameters");
  refuse_partial(config, place);
  const double theta = read_theta(config, place, kDefaultTheta);
  const auto read = [&](const Json& object) {
    return RopeObject(object, place, max_positions).read(read_theta(object, place, theta));
  };
  if (!parameters) return read(scaling ? *scaling : kNothing);
  const RopeConfig rope = read(*parameters);
  const bool old_theta_differs = config.find("rope_theta") && theta != rope.theta;
  if (old_theta_differs || (scaling && read(*scaling) != rope))
    throw Error(ErrorKind::file, place,
                fmt::format("rope_parameters ({}) and rope_theta / rope_scaling ({}) differ", to_string(rope),
                            to_string(read(scaling ? *scaling : kNothing))));
  return rope;
}

void write_rope(Json& config, const RopeConfig& rope) {
  Json object = Json::object({{"rope_type", name(rope.kind)}});
  if (rope.kind != RopeKind::standard) object.set("factor", rope.factor);
  if (rope.kind == RopeKind::llama3) {
    object.set("low_freq_factor", rope.low_frequency_factor);
    object.set("high_freq_factor", rope.high_frequency_factor);
  }
  if (rope.kind == RopeKind::yarn) {
    object.set("beta_fast", rope.beta_fast).set("beta_slow", rope.beta_slow);
    if (rope.attention_factor) object.set("attention_factor", *rope.attention_factor);
    if (!rope.truncate) object.set("truncate", false);
  }
  if (rope.original_max_positions > 0)
    object.set("original_max_position_embeddings", static_cast<int64_t>(rope.original_max_positions));
  config.set("rope_theta", rope.theta);
  config.set("rope_scaling", rope.kind == RopeKind::standard ? Json() : object);
  config.set("rope_parameters", object.set("rope_theta", rope.theta));
}

}  // namespace eyrie
