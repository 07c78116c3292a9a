// Rows of one sequence through a target and its draft, as generation runs them, to be timed.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "model/random_model.h"
#include "ops/linear.h"
#include "speculative/paged_models.h"
#include "speculative/sampler.h"
#include "speculative/speculative_cases.h"

namespace eyrie {
namespace {

constexpr int64_t kChain = 4, kDraftVocabulary = 1024;
constexpr int64_t kPromptTokens = 128, kMostRows = 512, kMostLogits = 16, kPageSize = 16;
constexpr int64_t kPositions = kPromptTokens + kMostRows + kMostLogits;

// visit(weight) for each linear layer in the order of a forward, the head last.
template <typename Visit>
void for_each_linear_layer(const Target& target, Visit&& visit) {
  for (const DecoderTensors<ConstTensor>& layer : target.tensors.layers)
    for (const auto* linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down})
      visit(linear->weight);
  visit(target.tensors.lm_head);
}

// Of the weights that one row reads: every matrix but the embedding, of which it reads a row.
double weight_bytes(const Target& target) {
  int64_t bytes = 0;
  for_each_linear_layer(target, [&](const ConstTensor& weight) { bytes += weight.bytes(); });
  return static_cast<double>(bytes);
}

// Of the linear layers for so many rows, the head for the last ones.
double linear_flops(const Target& target, int64_t rows, int64_t logit_rows) {
  int64_t elements = 0;
  for_each_linear_layer(target, [&](const ConstTensor& weight) { elements += weight.elements(); });
  return 2 * static_cast<double>(rows * elements - (rows - logit_rows) * target.tensors.lm_head.elements());
}

// A target behind a prompt, and the draft that goes with it (or none).
class Decoding {
 public:
  Decoding(Exec& exec, const Target& target, const Draft* draft);

  // `rows` tokens behind the prompt, with the best next token of each. Calls repeat the same positions.
  void verify(int64_t rows);
  // The draft's slots of `rows` target rows, and its best token.
  void extend(int64_t rows);
  void step();  // one chain step with its best token
  // The same without drafts behind them: the logits of the last one alone.
  void prefill(int64_t rows);
  // Every linear layer alone, the head of the last rows.
  void linear_layers(int64_t rows, int64_t logit_rows);

 private:
  // The first `rows` tokens on from a position, with the logits of the last ones.
  StepRows step_of(int64_t first_position, int64_t rows, int64_t logits);

  Exec& exec_;
  const Target& target_;
  PagePool pool_;
  PagedSequence sequence_;
  HostArrays arrays_;
  PagedTarget paged_target_;
  std::optional<PagedDraft> paged_draft_;
  std::vector<int32_t> tokens_;
  int64_t chosen_ = 0;
};

Decoding::Decoding(Exec& exec, const Target& target, const Draft* draft)
    : exec_(exec),
      target_(target),
      pool_(cache_layers(target.config, draft ? &draft->config : nullptr), kPageSize, kPositions / kPageSize),
      sequence_(pool_),
      paged_target_(target, draft ? &draft->config : nullptr, {.rows = kMostRows, .logits = kMostLogits}) {
  sequence_.reserve(kPositions);
  for (int64_t i = 0; i < kMostRows; ++i) tokens_.push_back(static_cast<int32_t>(i * 97 % target.config.vocabulary));
  paged_target_.run(exec_, step_of(0, kPromptTokens, 0));
  if (!draft) return;
  paged_draft_.emplace(*draft, StepLimits{.rows = kMostRows, .logits = 1});
  paged_draft_->extend(exec_, step_of(0, kPromptTokens, 1), paged_target_.taps());
}

StepRows Decoding::step_of(int64_t first_position, int64_t rows, int64_t logits) {
  const SequenceRows run{.pages = &sequence_,
                         .tokens = std::span(tokens_).first(static_cast<size_t>(rows)),
                         .first_position = first_position,
                         .logits = logits};
  return make_step_rows(exec_, arrays_, {&run, 1});
}

void Decoding::verify(int64_t rows) {
  paged_target_.run(exec_, step_of(kPromptTokens, rows, rows));
  const Tensor logits = paged_target_.logits();
  for (int64_t row = 0; row < rows; ++row)
    chosen_ = argmax({logits[row].as<float>(), static_cast<size_t>(logits.dim(1))});
}

void Decoding::extend(int64_t rows) {
  paged_draft_->extend(exec_, step_of(kPromptTokens, rows, 1), paged_target_.taps());
}

void Decoding::step() { paged_draft_->step(exec_, step_of(kPromptTokens, 1, 1)); }

void Decoding::prefill(int64_t rows) { paged_target_.run(exec_, step_of(kPromptTokens, rows, 1)); }

// On zeros, in the groups and the order of a forward.
void Decoding::linear_layers(int64_t rows, int64_t logit_rows) {
  const DecoderConfig& config = target_.config.decoder;
  const ScratchScope scope(exec_.scratch);
  const auto take = [&](int64_t width) { return exec_.scratch.take(DType::f32, {rows, width}); };
  const Tensor x = take(config.hidden), q = take(config.q_heads * config.head_dim), gate = take(config.intermediate);
  const Tensor k = take(config.kv_heads * config.head_dim), v = take(config.kv_heads * config.head_dim);
  const Tensor h = take(config.hidden), up = take(config.intermediate), product = take(config.intermediate);
  const Tensor logits = exec_.scratch.take(DType::f32, {logit_rows, target_.config.vocabulary});
  zero(exec_, x);
  for (const DecoderTensors<ConstTensor>& layer : target_.tensors.layers) {
    const Linear projections[] = {{.x = x, .weight = layer.q.weight, .y = q},
                                  {.x = x, .weight = layer.k.weight, .y = k},
                                  {.x = x, .weight = layer.v.weight, .y = v}};
    linear(exec_, projections);
    linear(exec_, {.x = q, .weight = layer.o.weight, .added = x, .y = h});
    linear_gated(exec_, {.gate = {.x = h, .weight = layer.gate.weight, .y = gate},
                         .up = {.x = h, .weight = layer.up.weight, .y = up},
                         .product = product});
    linear(exec_, {.x = product, .weight = layer.down.weight, .added = h, .y = x});
  }
  linear(exec_, {.x = x.slice(rows - logit_rows, rows), .weight = target_.tensors.lm_head, .y = logits});
}

TargetConfig one_billion() {
  TargetConfig config;
  config.model_type = "llama";
  config.layers = 16, config.vocabulary = 128256, config.tied_embeddings = true;
  config.decoder.hidden = config.decoder.input_width = 2048;
  config.decoder.intermediate = 8192;
  config.decoder.q_heads = 32, config.decoder.kv_heads = 8, config.decoder.head_dim = 64;
  config.decoder.max_positions = 2048;
  return config;
}

struct Models {
  Target target;
  std::optional<Draft> draft = {};
};

Models with_random_draft(const std::string& directory) {
  Models models{load_target(directory)};
  const TargetConfig& target = models.target.config;
  const DraftConfig config = derive_draft_config(target, std::min(kDraftVocabulary, target.vocabulary));
  models.draft = random_draft("bench_speculation", config, heads_of(models.target), DType::bf16);
  return models;
}

// Cases over the same models, which the first of them makes.
class DecodingCases {
 public:
  DecodingCases(testing::CaseList& cases, std::string operation, std::function<Models()> make)
      : cases_(cases), operation_(std::move(operation)), make_(std::move(make)) {}

  // Few rows wait for the weights, many for the multiply-adds of the linear layers, the head's those of `logit_rows`.
  void add(const std::string& name, int64_t rows, int64_t logit_rows, std::function<void(Decoding&)> call) {
    const auto bench = [=, models = models_, make = make_](Exec& exec) {
      if (!*models) *models = make();
      const Target& target = (*models)->target;
      const auto made = std::make_shared<Decoding>(exec, target, (*models)->draft ? &*(*models)->draft : nullptr);
      const bool few = rows <= kChain + 1;
      return testing::Workload{.flops = few ? 0 : linear_flops(target, rows, logit_rows),
                               .bytes = few ? weight_bytes(target) : 0,
                               .call = [=](Exec&) { call(*made); }};
    };
    cases_.push_back({.name = operation_ + "/" + name, .check = {}, .grad = {}, .bench = bench});
  }

 private:
  testing::CaseList& cases_;
  std::string operation_;
  std::function<Models()> make_;
  std::shared_ptr<std::optional<Models>> models_ = std::make_shared<std::optional<Models>>();
};

// Milliseconds of each part of a cycle, measured in turn; medians of the rounds, and of their ratios to a plain step.
struct Cost {
  const char* name;
  std::function<void()> call;
  std::vector<double> ms = {}, of_plain = {};
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void measure_in_turn(Exec& exec, std::vector<Cost>& costs) {
  constexpr int kRounds = 9;
  constexpr double kSeconds = 0.04;
  for (int round = 0; round < kRounds; ++round)
    for (Cost& cost : costs) {
      cost.ms.push_back(testing::median_ms(exec, cost.call, kSeconds));
      cost.of_plain.push_back(cost.ms.back() / costs.front().ms.back());
    }
}

// A cycle keeps `length` tokens on average: it verifies, extends as many slots, and steps for the rest of the chain.
void print_speed_up(const std::vector<Cost>& costs) {
  const double verify = median(costs[1].of_plain), step = median(costs[4].of_plain);
  const double extend_one = median(costs[2].of_plain), extend_all = median(costs[3].of_plain);
  fmt::print("\n{:<36}{:>9}{:>16}\n", fmt::format("chain of {}, at accept length", kChain), "speed-up",
             "cycle / plain");
  for (const double length : {1.0, 2.0, 2.5, 3.0, 3.2, 3.5, 4.0, 4.5}) {
    const double extend = extend_one + (length - 1) / kChain * (extend_all - extend_one);
    const double cycle = verify + extend + (kChain - 1) * step;
    fmt::print("{:<36.1f}{:>9.2f}{:>16.2f}\n", length, length / cycle, cycle);
  }
}

}  // namespace

void add_decode_cases(testing::CaseList& cases) {
  const auto make = [] { return Models{random_target("bench_decode", one_billion(), DType::bf16)}; };
  DecodingCases decode(cases, "decode, 1B-shaped bf16", make);
  decode.add("linear layers, 1 row", 1, 1, [](Decoding& it) { it.linear_layers(1, 1); });
  decode.add("decode, 1 row", 1, 1, [](Decoding& it) { it.verify(1); });
  decode.add("verify, 5 rows", 5, 5, [](Decoding& it) { it.verify(5); });
  for (const int64_t rows : {20, 512})
    decode.add(fmt::format("linear layers, {} rows", rows), rows, 1, [=](Decoding& it) { it.linear_layers(rows, 1); });
  decode.add("prefill, 512 rows", 512, 1, [](Decoding& it) { it.prefill(512); });
}

void add_speculation_cases(testing::CaseList& cases, const std::string& model) {
  const std::string operation = fmt::format("speculation, {}", std::filesystem::path(model).filename().string());
  DecodingCases speculation(cases, operation, [=] { return with_random_draft(model); });
  speculation.add("linear layers, 1 row", 1, 1, [](Decoding& it) { it.linear_layers(1, 1); });
  speculation.add("linear layers, 5 rows", 5, 5, [](Decoding& it) { it.linear_layers(5, 5); });
  speculation.add("decode, 1 row", 1, 1, [](Decoding& it) { it.verify(1); });
  speculation.add("prefill, 40 rows", 40, 1, [](Decoding& it) { it.prefill(40); });
}

void print_cycle_costs(const std::string& model) {
  const Models models = with_random_draft(model);
  Exec exec;
  Decoding it(exec, models.target, &*models.draft);
  std::vector<Cost> costs = {{"plain step: 1 row", [&] { it.verify(1); }},
                             {"verify: 5 rows", [&] { it.verify(kChain + 1); }},
                             {"draft extension: 1 slot", [&] { it.extend(1); }},
                             {"draft extension: 5 slots", [&] { it.extend(kChain + 1); }},
                             {"draft step", [&] { it.step(); }}};
  measure_in_turn(exec, costs);
  fmt::print("\n{:<36}{:>9}{:>16}\n", "parts of a cycle", "ms", "of a plain step");
  for (const Cost& cost : costs)
    fmt::print("{:<36}{:>9.3f}{:>16.2f}\n", cost.name, median(cost.ms), median(cost.of_plain));
  print_speed_up(costs);
}

}  // namespace eyrie
