#include "train/checkpoint.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "io/atomic_dir.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "checkpoint-";

Json to_json(const Checkpoint& checkpoint) {
  const RunPosition& position = checkpoint.position;
  Json settings = Json::object();
  for (const auto& [key, value] : checkpoint.settings) settings.set(key, value);
  Json::Array norms;
  for (const double norm : checkpoint.optimizer.norms.values()) norms.emplace_back(norm);
  return Json::object({{"format_version", 1},
                       {"step", position.step},
                       {"skipped", position.skipped},
                       {"best_accept_length", position.best_accept_length},
                       {"best_step", position.best_step},
                       {"applied", checkpoint.optimizer.applied},
                       {"gradient_norms", norms},
                       {"settings", settings}});
}

void check_settings(const std::string& directory, const Json& found, const RunSettings& expected) {
  for (const auto& [key, value] : expected) {
    const Json* other = found.find(key);
    const std::string text = other ? other->as_text() : "nothing";
    if (text != value)
      throw Error(
          ErrorKind::usage, directory,
          fmt::format("the run began with {} = {}, this one has {}: a run is resumed as it began", key, text, value));
  }
}

void read_into(const SafetensorsFile& file, const std::string& prefix, const std::vector<Parameter>& parameters) {
  for (const Parameter& one : parameters) {
    const ConstTensor& found = file.at(prefix + one.name);
    expect_dtype(file.path() + ": " + prefix + one.name, found, {DType::f32});
    expect_shape(file.path() + ": " + prefix + one.name, found, one.tensor.shape);
    copy(found, one.tensor);
  }
}

std::vector<NamedTensor> moments(const DraftConfig& config, const Optimizer& optimizer) {
  std::vector<NamedTensor> tensors = named_tensors(config, optimizer.first_moment, "first.");
  for (NamedTensor& one : named_tensors(config, optimizer.second_moment, "second.")) tensors.push_back(std::move(one));
  return tensors;
}

int64_t step_of(const fs::path& path) {
  const std::string name = path.filename();
  if (!name.starts_with(kPrefix)) return -1;
  const std::string digits = name.substr(std::string(kPrefix).size());
  const bool number = !digits.empty() && digits.size() < 18 &&
                      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::stoll(digits) : -1;
}

}  // namespace

void save_checkpoint(const std::string& directory, const Checkpoint& checkpoint) {
  const Draft& draft = checkpoint.draft;
  AtomicDirectory output(directory);
  const DraftTensors<ConstTensor> weights = views(draft.config, checkpoint.weights);
  write_draft(output.path(), {.config = draft.config,
                              .tensors = weights,
                              .vocabulary = draft.vocabulary,
                              .embedding = draft.own_embedding ? draft.embedding : ConstTensor(),
                              .dtype = DType::f32,
                              .reader = ""});
  write_safetensors(output.path() + "/optimizer.safetensors", moments(draft.config, checkpoint.optimizer));
  write_file_atomically(output.path() + "/trainer.json", to_json(checkpoint).dump(2) + "\n");
  output.commit();
}

void load_checkpoint(const std::string& directory, const Checkpoint& checkpoint) {
  const Json json = Json::parse_file(directory + "/trainer.json");
  check_settings(directory, json.at("settings"), checkpoint.settings);
  const DraftConfig& config = checkpoint.draft.config;
  const SafetensorsFile weights = SafetensorsFile::open(directory + "/model.safetensors");
  const SafetensorsFile state = SafetensorsFile::open(directory + "/optimizer.safetensors");
  read_into(weights, "", parameters(config, checkpoint.weights));
  read_into(state, "first.", parameters(config, checkpoint.optimizer.first_moment));
  read_into(state, "second.", parameters(config, checkpoint.optimizer.second_moment));
  checkpoint.position = {json.integer("step", 0), json.integer("skipped", 0), json.number("best_accept_length"),
                         json.integer("best_step", 0)};
  checkpoint.optimizer.applied = json.integer("applied", 0);
  std::vector<double> norms;
  for (const Json& norm : json.array("gradient_norms")) norms.push_back(norm.as_number());
  checkpoint.optimizer.norms.restore(std::move(norms));
}

std::vector<std::string> list_checkpoints(const std::string& run_directory) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run_directory, ignored))
    if (const int64_t step = step_of(entry.path()); step >= 0) found.emplace_back(step, entry.path().string());
  std::sort(found.begin(), found.end());
  std::vector<std::string> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

std::string checkpoint_path(const std::string& run_directory, int64_t step) {
  return fmt::format("{}/{}{:06}", run_directory, kPrefix, step);
}

void prune_checkpoints(const std::string& run_directory, int64_t keep, int64_t best_step) {
  const std::vector<std::string> paths = list_checkpoints(run_directory);
  for (size_t i = 0; i + static_cast<size_t>(keep) < paths.size(); ++i)
    if (step_of(paths[i]) != best_step) fs::remove_all(paths[i]);
}

}  // namespace eyrie
