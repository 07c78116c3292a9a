#include "train/checkpoint.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <ranges>

#include "base/log.h"
#include "io/atomic_dir.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "tensor/finite.h"

namespace eyrie {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "checkpoint-";

Json to_json(const Checkpoint& checkpoint) {
  const RunPosition& position = checkpoint.position;
  Json settings = Json::object();
  for (const auto& [key, value] : checkpoint.settings) settings.set(key, value);
  Json::Array norms;
  for (const double norm : checkpoint.state.norms.values()) norms.emplace_back(norm);
  return Json::object({{"format_version", 1},
                       {"step", position.step},
                       {"skipped", position.skipped},
                       {"best_accept_length", position.best_accept_length},
                       {"best_step", position.best_step},
                       {"applied", checkpoint.state.applied},
                       {"gradient_norms", norms},
                       {"settings", settings}});
}

Parameters load_parameters(const SafetensorsFile& file, const std::string& prefix, const DraftConfig& config) {
  Parameters made = make_parameters(config);
  for_each_tensor(config, made.tensors, [&](const std::string& name, const Shape& shape, const Tensor& tensor) {
    const ConstTensor& found = file.at(prefix + name);
    const std::string place = file.path() + ": " + prefix + name;
    expect_dtype(place, found, {DType::f32});
    expect_shape(place, found, shape);
    if (const std::string problem = why_not_finite(found); !problem.empty())
      throw Error(ErrorKind::file, place, problem);
    copy(found, tensor);
  });
  return made;
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
  const TrainState& state = checkpoint.state;
  const Draft& draft = state.draft;
  AtomicDirectory output(directory);
  write_draft(output.path(), {.config = draft.config,
                              .tensors = draft.tensors,
                              .vocabulary = draft.vocabulary,
                              .embedding = draft.own_embedding ? draft.embedding : ConstTensor(),
                              .dtype = DType::f32,
                              .reader = ""});
  std::vector<NamedTensor> moments = named_tensors(draft.config, state.first, "first.");
  std::ranges::move(named_tensors(draft.config, state.second, "second."), std::back_inserter(moments));
  write_safetensors(output.path() + "/optimizer.safetensors", moments);
  save_position(output.path(), checkpoint);
  output.commit();
}

void save_position(const std::string& directory, const Checkpoint& checkpoint) {
  write_file_atomically(directory + "/trainer.json", to_json(checkpoint).dump(2) + "\n");
}

bool SavedRun::finished() const {
  return std::ranges::count(settings, RunSettings::value_type("steps", std::to_string(position.step))) > 0;
}

namespace {

void read_trainer(const Json& json, SavedRun& saved) {
  saved.position = {json.integer("step", 0), json.integer("skipped", 0), json.number("best_accept_length"),
                    json.integer("best_step", 0)};
  const Json& settings = json.at("settings");
  at_place("settings", [&] {
    for (const auto& [key, value] : settings.as_members())
      at_place(key, [&] { saved.settings.emplace_back(key, value.as_text()); });
  });
  saved.state.applied = json.integer("applied", 0);
  std::vector<double> norms;
  for (const Json& norm : json.array("gradient_norms"))
    at_place("gradient_norms", [&] { norms.push_back(norm.as_number()); });
  saved.state.norms.restore(std::move(norms));
}

}  // namespace

SavedRun load_checkpoint(const std::string& directory, const TargetHeads& heads) {
  const std::string trainer = directory + "/trainer.json";
  const Json json = Json::parse_file(trainer);
  // In front, as a draft may have its weights in files of other names.
  const SafetensorsFile weights = SafetensorsFile::open(directory + "/model.safetensors");
  Draft draft = load_draft(directory, heads);
  const DraftConfig config = draft.config;
  // Files that a later checkpoint replaces would keep their place on the disk as long as they are mapped.
  if (!draft.own_embedding) draft.storage = heads.storage;
  const SafetensorsFile moments = SafetensorsFile::open(directory + "/optimizer.safetensors");
  SavedRun saved;
  saved.directory = directory;
  saved.state = make_state(std::move(draft), load_parameters(weights, "", config));
  saved.state.first = load_parameters(moments, "first.", config);
  saved.state.second = load_parameters(moments, "second.", config);
  at_place(trainer, [&] { read_trainer(json, saved); });
  return saved;
}

std::optional<SavedRun> load_newest_checkpoint(const std::string& run_directory, const TargetHeads& heads) {
  std::string unread;
  for (const std::string& path : list_checkpoints(run_directory) | std::views::reverse) {
    try {
      SavedRun saved = load_checkpoint(path, heads);
      if (!unread.empty()) log_warning(fmt::format("{}the run goes on from {}", unread, path));
      return saved;
    } catch (const Error& error) {
      unread += fmt::format("{} cannot be read ({}); ", path, error.what());
    }
  }
  if (unread.empty()) return std::nullopt;
  throw Error(ErrorKind::file, run_directory, unread + "there is none before");
}

void expect_same_settings(const SavedRun& saved, const RunSettings& now,
                          const std::map<std::string, std::string>& files) {
  const auto refuse = [&](const std::string& message) { throw Error(ErrorKind::usage, saved.directory, message); };
  const int64_t done = saved.position.step;
  for (const auto& [key, value] : now) {
    const auto same_key = [&](const auto& setting) { return setting.first == key; };
    const auto found = std::ranges::find_if(saved.settings, same_key);
    const std::string before = found == saved.settings.end() ? "nothing" : found->second;
    if (before == value) continue;
    if (const auto file = files.find(key); file != files.end())
      throw Error(
          ErrorKind::usage, file->second,
          fmt::format("is not what the run began with ({}): expected {}, found {}", saved.directory, before, value));
    if (key == "steps" && !saved.finished())
      refuse(
          fmt::format("{} of the run's {} steps are done: expected as many to go on, or more once it is finished, "
                      "found {}",
                      done, before, value));
    if (key != "steps")
      refuse(
          fmt::format("the run began with {} = {}, this one has {}: a run is resumed as it began", key, before, value));
    if (std::stoll(value) < done)
      refuse(fmt::format("the run has done its {} steps; expected more to go on, found {}", done, value));
  }
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

void expect_no_run(const std::string& directory) {
  const std::vector<std::string> checkpoints = list_checkpoints(directory);
  if (!checkpoints.empty())
    throw Error(ErrorKind::input, directory,
                "is a run, not a draft: its checkpoints are drafts, the newest " + checkpoints.back());
}

std::string checkpoint_path(const std::string& run_directory, int64_t step) {
  return fmt::format("{}/{}{:06}", run_directory, kPrefix, step);
}

void prune_checkpoints(const std::string& run_directory, int64_t keep, const RunPosition& position) {
  std::vector<std::string> paths = list_checkpoints(run_directory);
  std::erase_if(paths, [&](const std::string& path) { return step_of(path) > position.step; });
  for (size_t i = 0; i + static_cast<size_t>(keep) < paths.size(); ++i)
    if (step_of(paths[i]) != position.best_step) fs::remove_all(paths[i]);
}

}  // namespace eyrie
