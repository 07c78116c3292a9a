// train/inputs.h: what a run reads before it starts: target or features, the draft it begins with, the data.
#pragma once
#include <memory>
#include <optional>

#include "data/conversations.h"
#include "io/directory_lock.h"
#include "model/draft.h"
#include "train/batch_source.h"
#include "train/checkpoint.h"
#include "train/options.h"
#include "train/survey.h"

namespace eyrie {

struct TrainInputs {
  std::optional<DirectoryLock> lock;  // of the run directory, before anything in it is read or changed
  std::optional<SavedRun> saved;      // what a resumed run goes on from; its state has moved to the one below
  std::optional<Target> target;       // when conversations run through it
  TargetHeads heads;
  FeatureInfo info;                          // of the target's states
  std::optional<ConversationReader> reader;  // of the conversations and prompts of `target`
  Conversations data, held_out_data;
  std::unique_ptr<BatchSource> train, held_out;  // held_out may be null
  Survey survey;                                 // of `train`
  TrainState state;                              // what the run begins with
};

// Loads and checks everything. Errors: Error{usage} for options that contradict each other, and when the run directory
// holds a run and resume was not asked for; Error{file} when another training writes there; Error{file} and
// Error{input} for what they name; Error{input} when nothing is supervised.
std::unique_ptr<TrainInputs> load_inputs(const TrainOptions&);

}  // namespace eyrie
