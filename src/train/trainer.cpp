#include "train/trainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/time.h"
#include "io/atomic_dir.h"
#include "io/json.h"
#include "train/checkpoint.h"
#include "train/metrics.h"
#include "train/run_plan.h"
#include "train/step_dump.h"

namespace eyrie {
namespace {

constexpr int64_t kMostAutomaticDumps = 8;  // of one process: a run that is broken must not fill the disk

struct MicroBatch {
  BatchPlace place;
  PackedBatch tokens;
  Supervision supervision;
};

// What one optimizer step found.
struct StepRecord {
  std::vector<MicroBatch> batches;
  std::vector<TttRun> runs;
  std::vector<int64_t> rows;  // n_k
  TttOutcome outcome;         // summed
  double grad_norm = 0, learning_rate = 0, seconds = 0;
  int64_t tokens = 0;
  bool applied = true;
};

class Trainer {
 public:
  Trainer(Exec& exec, const TrainOptions& options, TrainInputs& inputs, const TrainHooks& hooks)
      : exec_(exec),
        options_(options),
        inputs_(inputs),
        hooks_(hooks),
        rule_{options.loss_decay, find_normalize(options.normalize), {}},
        order_(*inputs.train),
        steps_(count_steps(options, *inputs.train)),
        settings_(run_settings(options, inputs, steps_)),
        state_(inputs.state),
        embedding_(state_.draft.embedding),
        copies_(exec),
        model_{state_.draft, copies_.of(inputs.heads.lm_head), find_backend(options.attention), options.deterministic} {
    send_state(exec, copies_, state_);
    begin_training(exec, state_);
    for (BatchSource* source : {inputs.train.get(), inputs.held_out.get()})
      if (source) source->send(copies_);
    for (int64_t i = 0; i < options.accumulate; ++i) arrays_.emplace_back(exec);
  }

  TrainResult run();

  ~Trainer() { state_.draft.embedding = embedding_; }  // the copy ends here

 private:
  void begin();
  void go_on_from(const SavedRun& saved);
  StepRecord step();
  void read_batches(StepRecord& record);
  TttRun run_batch(const MicroBatch& batch, HostArrays& arrays);
  // The state on the CPU, for files and for serving; valid until the next step is applied.
  const TrainState& here() {
    if (exec_.device == Device::cpu) return state_;
    if (!here_) here_.emplace(read_back(exec_, state_, embedding_));
    return *here_;
  }
  void update(StepRecord& record);
  void report(const StepRecord& record);
  bool asked_for() const;  // a dump of this step
  Buffer in_f32(const ConstTensor& states) { return Buffer::copy_of(to_cpu(exec_, states), DType::f32); }
  void dump(const StepRecord& record, const std::string& why);
  void evaluate_now();
  void save();
  void write_best() const;
  bool due(int64_t every) const { return every > 0 && position_.step % every == 0; }
  bool last() const { return position_.step == steps_; }
  bool none_applied() const { return position_.skipped == position_.step; }
  bool stopped() const { return hooks_.stop && *hooks_.stop; }

  Exec& exec_;
  const TrainOptions& options_;
  TrainInputs& inputs_;
  const TrainHooks& hooks_;
  LossRule rule_;
  BatchOrder order_;
  const int64_t steps_;
  const RunSettings settings_;
  TrainState& state_;
  const ConstTensor embedding_;  // of the draft, on the CPU
  std::optional<TrainState> here_;
  DeviceCopies copies_;
  const TttModel model_;
  std::vector<HostArrays> arrays_;  // one for each micro-batch: what they found is read when all of them have run
  RunPosition position_;
  std::optional<MetricsFile> metrics_;
  TrainResult result_;
  std::string first_skip_;
  int64_t automatic_dumps_ = 0, saved_step_ = -1, steps_here_ = 0;
  WorkClock clock_{exec_};
  Stopwatch watch_;
};

void Trainer::begin() {
  if (inputs_.saved) go_on_from(*inputs_.saved);
  metrics_.emplace(options_.output + "/metrics.jsonl", position_.step);
  if (!options_.flags.empty())
    write_file_atomically(options_.output + "/run.toml", fmt::format("{}\n{}", kRunFlagsHead, options_.flags));
  if (!last())
    metrics_->write(RunBegin{.step = position_.step,
                             .steps = steps_,
                             .chain = std::min(options_.chain, options_.ttt_steps),
                             .time = {},
                             .about = hooks_.about});
  // The run ended between a checkpoint and the evaluation behind it.
  if (inputs_.saved && !metrics_->evaluated() && (last() || due(options_.evaluate_every))) evaluate_now();
}

void Trainer::go_on_from(const SavedRun& saved) {
  const bool conversations = inputs_.target.has_value(), own_weights = options_.target_weights.empty();
  expect_same_settings(saved, settings_,
                       {{"target", own_weights ? options_.model : options_.target_weights},
                        {"data", conversations ? options_.data : options_.features}});
  position_ = saved.position;
  saved_step_ = position_.step;
  result_.checkpoint = saved.directory;
  log_info(fmt::format("resumed from {} at step {} of {}", saved.directory, position_.step, steps_));
  if (last()) log_info("the run is finished; with more steps it would go on from here");
  if (saved.finished() && !last())
    log_info(
        fmt::format("the run was finished: from here on it has the learning rates of a run of {0} steps, its first {1} "
                    "steps had those of a run of {1}",
                    steps_, position_.step));
  write_best();  // it may name a checkpoint that the run went back behind
}

void Trainer::read_batches(StepRecord& record) {
  record.rows.assign(static_cast<size_t>(options_.ttt_steps), 0);
  for (int64_t i = 0; i < options_.accumulate; ++i) {
    MicroBatch batch{order_.place(position_.step * options_.accumulate + i), {}, {}};
    batch.tokens = inputs_.train->tokens(batch.place.epoch, batch.place.index);
    batch.supervision = supervise(batch.tokens.loss_mask, batch.tokens.cu_seqlens, options_.ttt_steps);
    for (size_t k = 0; k < record.rows.size(); ++k) record.rows[k] += batch.supervision.rows_at_depth[k];
    record.tokens += batch.tokens.tokens();
    record.batches.push_back(std::move(batch));
  }
}

TttRun Trainer::run_batch(const MicroBatch& batch, HostArrays& arrays) {
  const ScratchScope scope(exec_.scratch);
  TargetStates states = take_states(exec_, state_.draft.config, batch.tokens.tokens());
  clock_.lap(Work::other);
  if (batch.supervision.rows() > 0)
    inputs_.train->read_states(exec_, batch.place.epoch, batch.place.index, batch.tokens, states.taps,
                               states.last_hidden);
  clock_.lap(Work::target);
  return start_ttt_step(exec_, arrays, model_,
                        {batch.tokens.input_ids, states.taps, states.last_hidden, batch.supervision}, rule_,
                        &state_.gradients.tensors, clock_);
}

void Trainer::update(StepRecord& record) {
  record.grad_norm = l2_norm(exec_, state_.draft.config, state_.gradients);  // the one wait of a step
  for (const TttRun& run : record.runs) {
    const TttOutcome one = run.outcome();
    record.outcome.loss += one.loss;
    record.outcome.figures.add(one.figures);
  }
  record.learning_rate = learning_rate_at(options_.optimizer, position_.step, steps_);
  const StepVerdict verdict = judge(options_.optimizer, state_.norms, record.outcome.loss, record.grad_norm);
  record.applied = verdict == StepVerdict::fine || verdict == StepVerdict::spike;
  std::string why;  // it is dumped
  if (verdict == StepVerdict::not_finite)
    why = fmt::format("loss {} or gradient norm {} is not finite: not applied", record.outcome.loss, record.grad_norm);
  if (verdict == StepVerdict::too_large)
    why = fmt::format("gradient norm {:.4g}, not clipped, is {:.0g} or more: not applied", record.grad_norm,
                      kLargestNorm);
  if (verdict == StepVerdict::spike)
    why = fmt::format("gradient norm {:.4g} is {:.1f} times the usual {:.4g}", record.grad_norm,
                      record.grad_norm / state_.norms.median(), state_.norms.median());
  if (!why.empty() || asked_for()) dump(record, why);
  if (record.applied) {
    apply_step(exec_, options_.optimizer, record.grad_norm, record.learning_rate, state_);
    here_.reset();
  } else if (position_.skipped++ == 0) {
    first_skip_ = fmt::format("step {}: {}", position_.step, why);
  }
  clock_.lap(Work::optimizer);
}

StepRecord Trainer::step() {
  Stopwatch watch;
  StepRecord record;
  clock_.lap({});  // what lay between the steps is none of their work
  read_batches(record);
  record.outcome.figures = StepFigures(options_.ttt_steps);
  rule_.step_rows = record.rows;
  zero(exec_, state_.gradients.memory);
  for (size_t i = 0; i < record.batches.size(); ++i) record.runs.push_back(run_batch(record.batches[i], arrays_[i]));
  update(record);
  record.seconds = watch.seconds();
  record.outcome.seconds = clock_.take();
  return record;
}

bool Trainer::asked_for() const {
  return std::count(options_.dump_steps.begin(), options_.dump_steps.end(), position_.step) > 0;
}

// `why` is empty when the step was only asked for. Of the others no more than a few are written.
void Trainer::dump(const StepRecord& record, const std::string& why) {
  if (!why.empty()) log_warning(fmt::format("step {}: {}", position_.step, why));
  if (!asked_for() && automatic_dumps_++ >= kMostAutomaticDumps) return;
  rule_.step_rows = record.rows;
  for (size_t i = 0; i < record.batches.size(); ++i) {
    const MicroBatch& batch = record.batches[i];
    const ScratchScope scope(exec_.scratch);
    const TargetStates states = take_states(exec_, state_.draft.config, batch.tokens.tokens());
    inputs_.train->read_states(exec_, batch.place.epoch, batch.place.index, batch.tokens, states.taps,
                               states.last_hidden);
    const Buffer taps = in_f32(states.taps), last_hidden = in_f32(states.last_hidden);
    std::string directory = fmt::format("{}/dump-{:06}", options_.output, position_.step);
    if (record.batches.size() > 1) directory += fmt::format(".{}", i);
    write_step_dump(directory, {here().draft, inputs_.heads, batch.tokens, taps, last_hidden, inputs_.info, rule_,
                                options_.attention, position_.step, record.outcome.loss, record.grad_norm});
    log_info(fmt::format("step {} is dumped in {}", position_.step, directory));
  }
}

void Trainer::report(const StepRecord& record) {
  metrics_->write(TrainMetrics{.step = position_.step,
                               .epoch = record.batches.front().place.epoch,
                               .tokens = record.tokens,
                               .loss = record.outcome.loss,
                               .learning_rate = record.learning_rate,
                               .grad_norm = record.grad_norm,
                               .seconds = record.seconds,
                               .applied = record.applied,
                               .figures = record.outcome.figures,
                               .work = record.outcome.seconds});
  result_.tokens += record.tokens;
  ++steps_here_;
  if (!hooks_.progress) return;
  const double elapsed = watch_.seconds();
  hooks_.progress({position_.step, steps_, record.outcome.loss, record.outcome.figures.depths[0].accuracy(),
                   static_cast<double>(result_.tokens) / elapsed,
                   elapsed / static_cast<double>(steps_here_) * static_cast<double>(steps_ - position_.step)});
}

void Trainer::evaluate_now() {
  if (!inputs_.held_out) return;
  Stopwatch watch;
  int64_t tokens = 0;
  result_.last = evaluate(exec_, options_, model_, *inputs_.held_out, tokens);
  std::optional<double> generated;
  if (hooks_.generate && (last() || due(options_.evaluate_every * options_.generate_every)))
    generated = result_.generated_accept_length = hooks_.generate(here().draft);
  const double seconds = watch.seconds();
  const auto chain = static_cast<size_t>(std::min(options_.chain, options_.ttt_steps) - 1);
  const double length = result_.last.walked[chain].accept_length();
  if (!none_applied() && (length > position_.best_accept_length || position_.best_step == 0)) {
    position_.best_accept_length = length, position_.best_step = position_.step;
    save();
    write_best();
  }
  // Last of all: an evaluation without its line is made again when the run is resumed.
  const std::vector<int64_t> rows = result_.last.supervised();
  metrics_->write(EvalMetrics{.step = position_.step,
                              .tokens = tokens,
                              .loss = result_.last.loss(depth_scales(options_.loss_decay, rows)),
                              .seconds = seconds,
                              .generated_accept_length = generated,
                              .figures = result_.last});
}

void Trainer::write_best() const {
  const std::string path = options_.output + "/best.json";
  if (position_.best_step == 0) return void(std::filesystem::remove(path));
  const Json best = Json::object({{"step", position_.best_step},
                                  {"walked_accept_length", position_.best_accept_length},
                                  {"checkpoint", checkpoint_path(options_.output, position_.best_step)}});
  write_file_atomically(path, best.dump(2) + "\n");
}

// Before a step was applied there is nothing to save, and what would stand there would pass for a trained draft.
void Trainer::save() {
  if (none_applied()) return;
  const Checkpoint checkpoint{here(), position_, settings_};
  if (saved_step_ == position_.step) return save_position(result_.checkpoint, checkpoint);
  result_.checkpoint = checkpoint_path(options_.output, position_.step);
  save_checkpoint(result_.checkpoint, checkpoint);
  saved_step_ = position_.step;
  prune_checkpoints(options_.output, options_.keep, position_);
}

TrainResult Trainer::run() {
  begin();
  while (position_.step < steps_) {
    StepRecord record = step();
    ++position_.step;
    report(record);
    if (last() && none_applied())
      throw Error(ErrorKind::input, options_.output,
                  fmt::format("none of the {} steps was applied, so there is no checkpoint; {}; the batches are in the "
                              "dumps there: look at data, features and learning rate",
                              steps_, first_skip_));
    // Before the evaluation: whatever happens there, nothing is lost. Nor does who stops the run wait for it.
    if (last() || due(options_.checkpoint_every) || stopped()) save();
    if (stopped() && !last())
      throw Error(
          ErrorKind::interrupted, options_.output,
          fmt::format("stopped after step {} of {}; {}", position_.step, steps_,
                      none_applied() ? "none was applied yet, so nothing is saved" : "resume goes on from there"));
    if (last() || due(options_.evaluate_every)) evaluate_now();
  }
  result_.steps = position_.step, result_.skipped = position_.skipped;
  result_.best_accept_length = position_.best_accept_length, result_.best_step = position_.best_step;
  result_.seconds = watch_.seconds();
  return std::move(result_);
}

}  // namespace

StepFigures evaluate(Exec& exec, const TrainOptions& options, const TttModel& model, const BatchSource& source,
                     int64_t& tokens) {
  StepFigures figures(options.ttt_steps);
  HostArrays arrays(exec);
  for (int64_t i = 0; i < source.batches(0); ++i) {
    const PackedBatch batch = source.tokens(0, i);
    const Supervision supervision = supervise(batch.loss_mask, batch.cu_seqlens, options.ttt_steps);
    const ScratchScope scope(exec.scratch);
    const TargetStates states = take_states(exec, model.draft.config, batch.tokens());
    source.read_states(exec, 0, i, batch, states.taps, states.last_hidden);
    const LossRule rule{options.loss_decay, Normalize::step, {}};
    figures.add(
        ttt_step(exec, arrays, model, {batch.input_ids, states.taps, states.last_hidden, supervision}, rule, nullptr)
            .figures);
    tokens += batch.tokens();
  }
  return figures;
}

TrainResult train(Exec& exec, const TrainOptions& options, TrainInputs& inputs, const TrainHooks& hooks) {
  return Trainer(exec, options, inputs, hooks).run();
}

}  // namespace eyrie
