// train/checkpoint.h: a run on disk. A checkpoint is a directory that appears whole or not at all:
//   config.json, model.safetensors   the draft with its f32 weights, in the form every draft has: it can be exported,
//                                    inspected and generated with as it is
//   optimizer.safetensors            first.<tensor>, second.<tensor> f32
//   trainer.json                     the position in the run and the settings it depends on
// The order of the data and every random number are functions of (seed, position), so the position is all there is to
// restore: a resumed run continues bit for bit (spec §10).
#pragma once
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/train_state.h"

namespace eyrie {

// What a run's numbers depend on, as text: a run goes on only under the settings it began with.
using RunSettings = std::vector<std::pair<std::string, std::string>>;

struct RunPosition {
  int64_t step = 0;     // steps done
  int64_t skipped = 0;  // of them not applied
  double best_accept_length = 0;
  int64_t best_step = 0;  // 0: none evaluated yet
};

struct Checkpoint {
  const TrainState& state;
  const RunPosition& position;
  const RunSettings& settings;
};
// Error{file} with the system's reason (a full disk …); what stood there before stays whole.
void save_checkpoint(const std::string& directory, const Checkpoint&);
// The same for a checkpoint that stands there already and is to know more of its position: an evaluation behind it.
void save_position(const std::string& directory, const Checkpoint&);

// A run as its checkpoint holds it: all that it goes on from.
struct SavedRun {
  std::string directory;
  TrainState state;  // without gradients
  RunPosition position;
  RunSettings settings;

  bool finished() const;  // all its steps are done
};
// Error{file}: missing, truncated or misshapen parts, values that are not finite.
SavedRun load_checkpoint(const std::string& directory, const TargetHeads&);
// The newest checkpoint of a run that can be read, with a warning that names those that cannot, and why. Nothing when
// there is none; Error{file} when there are some and none can be read.
std::optional<SavedRun> load_newest_checkpoint(const std::string& run_directory, const TargetHeads&);
// Error{usage} names a setting with both values, or the file that it was made from (`files`: by key). A finished run
// may have more steps now.
void expect_same_settings(const SavedRun&, const RunSettings& now,
                          const std::map<std::string, std::string>& files = {});

// The checkpoints of a run directory, "checkpoint-<step>", oldest first.
std::vector<std::string> list_checkpoints(const std::string& run_directory);
// What is to be a draft is none: Error{input} for a run directory, naming its newest checkpoint.
void expect_no_run(const std::string& directory);
std::string checkpoint_path(const std::string& run_directory, int64_t step);
// Removes all but the last `keep` up to this position, and its best. Later ones are broken: the run went on from before
// them, and will replace them.
void prune_checkpoints(const std::string& run_directory, int64_t keep, const RunPosition&);

}  // namespace eyrie
