// train/options.h: everything `eyrie train` can be told, with its defaults.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/target.h"
#include "text/chat_template.h"
#include "train/optimizer.h"

namespace eyrie {

// The first line of run.toml, by which a run knows its own.
inline constexpr std::string_view kRunFlagsHead = "# the flags of this run, as eyrie train --resume takes them";

struct TrainOptions {
  // What is trained for what. Conversations run through the target in this process; or features captured from any
  // target, whose lm_head and embeddings alone are read.
  std::string model;           // the target: a Hugging Face directory
  std::string data;            // conversations, JSONL
  std::string held_out;        // conversations for evaluation; with features: their directory
  std::string features;        // directory of captured features, instead of data
  std::string target_weights;  // directory with the target's weights; empty: model
  std::string lm_head_key = kLmHeadKey, embedding_key = kEmbeddingKey;
  ChatOptions chat;
  double bad_lines = 0.01;    // share of the lines that may be unfit
  int64_t max_tokens = 2048;  // of one sequence; longer ones are cut

  std::string draft_config;      // directory with a config.json; empty: derived from the target
  std::vector<int64_t> tap_ids;  // output ids; empty: the draft config's, the features', or the default
  int64_t draft_vocabulary = 0;  // Vd, or the target's vocabulary where that is less; 0: the draft config's, or 32,000
  std::string init_draft;        // a draft to begin with: its config, vocabulary and weights
  std::string init = "target";   // lm_head and last norm of a new draft: target or random

  int64_t ttt_steps = 7;           // K
  double loss_decay = 0.8;         // w
  std::string normalize = "step";  // n_k: step or micro-batch
  std::string attention = "auto";  // backend
  Device device = Device::cpu;     // where the steps run
  DType dtype = DType::bf16;       // of activations and working weights on a GPU; a CPU has f32
  DType activations() const { return device == Device::cpu ? DType::f32 : dtype; }
  bool deterministic = false;  // on a GPU: the same bits every time
  OptimizerOptions optimizer;
  int64_t epochs = 1;
  int64_t steps = 0;            // optimizer steps; 0: as many as the epochs have
  int64_t token_budget = 2048;  // of one packed batch
  int64_t accumulate = 1;       // packed batches of one step
  uint64_t seed = 0;

  std::string output;               // run directory: checkpoints, metrics.jsonl, dumps
  bool resume = false;              // go on from the newest checkpoint of `output`
  bool plan = false;                // resolve the run without starting it: nothing is written, no lock taken
  std::string flags;                // all of this as TOML, for the run directory; empty: not recorded
  int64_t evaluate_every = 0;       // steps; 0: at the end alone
  int64_t generate_every = 0;       // evaluations; 0: at the end alone
  int64_t checkpoint_every = 0;     // steps; 0: at the end alone
  int64_t keep = 2;                 // newest checkpoints kept beside the best
  int64_t chain = 4;                // drafts per verify of the accept length that "best" goes by
  std::vector<int64_t> dump_steps;  // steps to dump, counted from 0
};

}  // namespace eyrie
