// app/commands.h: the subcommands of `eyrie`: one options struct and one function each. Each function returns when its
// work is done and throws Error otherwise; main() maps that to an exit code. Their flags stand in flags.cpp.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "speculative/sampler.h"
#include "text/chat_template.h"
#include "train/options.h"
#include "train/replay.h"

namespace eyrie {

struct Command {
  const char *name, *summary, *example;
  void (*parse_and_run)(const Command&, int argc, char** argv);  // argv[0] is the name. --help prints and returns
};
std::span<const Command> commands();

struct TokenizeOptions {
  std::string model;
};
void run_tokenize(const TokenizeOptions&);

struct CaptureOptions {
  std::string model, input, output;
  DType dtype = DType::bf16;
  ChatOptions chat;
  double bad_lines = 0.01;  // share of the lines that may be unfit
  std::vector<int64_t> tap_ids;
  int64_t max_tokens = 2048;    // of one sequence
  int64_t token_budget = 2048;  // of one packed batch
};
void run_capture(const CaptureOptions&);

struct DataCommand {
  std::string file, model;
  ChatOptions chat;
  int64_t max_tokens = 2048;     // of one sequence
  int64_t draft_vocabulary = 0;  // Vd whose misses are counted; 0: as `train` takes it
  int64_t show = 0;              // sequences to print, the supervised tokens marked
  double bad_lines = 0.01;
  bool json = false;
};
void run_data(const DataCommand&);

struct GenerateCommand {
  std::string model, draft, input, output;
  std::optional<std::string> prompt;
  ChatOptions chat;
  bool raw = false;              // no chat template
  std::vector<int64_t> tap_ids;  // of the draft, instead of what its config says
  int64_t max_new_tokens = 512, chain = 4;
  SamplingOptions sampling;
  std::vector<std::string> stop_strings;
  std::vector<int32_t> stop_ids;  // besides the model's own
  bool ignore_stop = false;       // the model's own stop tokens do not end the text
};
void run_generate(const GenerateCommand&);

struct BenchOptions {
  std::vector<std::string> parts;  // of bench_parts(); empty: all
  std::string filter;              // cases whose name contains it
  bool list = false;               // names alone
  Device device = Device::cpu;     // cuda: what has figures there, `attention`
  std::string model = "assets/fledgling";
};
void run_bench(const BenchOptions&);

struct TrainCommand {
  TrainOptions train;
  std::string config;         // a TOML file of flags; empty: none
  std::string prompts;        // prompts whose generated accept length is measured; empty: the held-out conversations'
  int64_t prompt_count = 32;  // of them
};
void run_train(const TrainCommand&);

struct ExportCommand {
  std::string checkpoint, output, reader;  // whose conventions: of draft_readers.h, or ""
  DType dtype = DType::bf16;
};
void run_export(const ExportCommand&);

struct ReplayCommand {
  ReplayOptions replay;
  int64_t ttt_steps = 0;  // 0: as the dump says
  std::string output;
};
void run_replay(const ReplayCommand&);

struct InspectCommand {
  std::string directory, against, prompts;
  ChatOptions chat;
  int64_t max_new_tokens = 64;  // per prompt of the probe
};
void run_inspect(const InspectCommand&);

struct MaskCommand {
  int64_t q = 0;  // rows; 0: as many as the lengths or documents take
  int64_t rounds = 1;
  std::vector<int64_t> lengths;    // a right-padded batch: valid rows of each entry
  std::vector<int64_t> documents;  // packed end to end in one row
  std::string tile = "128x128", output;
};
void run_mask(const MaskCommand&);

struct ReportCommand {
  std::string run, output;  // "": report.html of the run directory
};
void run_report(const ReportCommand&);

struct DemoCommand {
  std::string target = "assets/fledgling", output = "demo";
  Device device = Device::cpu;  // of the training
};
void run_demo(const DemoCommand&);

}  // namespace eyrie
