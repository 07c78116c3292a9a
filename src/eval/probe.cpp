#include "eval/probe.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/counted.h"
#include "speculative/generate.h"
#include "speculative/teacher_forced.h"

namespace eyrie {
namespace {

struct Text {
  std::vector<int32_t> ids;
  int64_t first_row;
};

std::vector<Text> greedy_texts(Exec& exec, const Target& target, const std::vector<std::vector<int32_t>>& prompts,
                               int64_t max_new_tokens) {
  std::vector<Text> texts;
  Generator generator(exec, target, nullptr);
  for (const std::vector<int32_t>& prompt : prompts) {
    Text& text = texts.emplace_back(prompt, static_cast<int64_t>(prompt.size()) - 1);
    const GenerateResult result =
        generator.generate(prompt, {.max_new_tokens = max_new_tokens, .chain = 0, .stop_ids = target.config.stop_ids});
    text.ids.insert(text.ids.end(), result.ids.begin(), result.ids.end());
  }
  return texts;
}

std::vector<ProbeReading> possible_readings(const Target& target, const DraftConfig& config) {
  std::vector<ProbeReading> readings;
  for (const int64_t shift : {0, -1, 1})
    for (const bool flipped : {false, true}) {
      ProbeReading reading{.tap_shift = shift, .tap_ids = config.tap_ids, .norm_output = config.norm_output != flipped};
      for (int64_t& id : reading.tap_ids) id += shift;
      const auto [low, high] = std::minmax_element(reading.tap_ids.begin(), reading.tap_ids.end());
      if (*low >= 0 && *high < target.config.layers) readings.push_back(reading);
    }
  return readings;
}

// Gives the draft its own reading back, whatever happens between.
class ReadingScope {
 public:
  explicit ReadingScope(DraftConfig& config) : config_(config), kept_(config) {}
  ~ReadingScope() { config_ = std::move(kept_); }
  ReadingScope(const ReadingScope&) = delete;
  ReadingScope& operator=(const ReadingScope&) = delete;

 private:
  DraftConfig& config_;
  DraftConfig kept_;
};

void try_reading(Exec& exec, const Target& target, Draft& draft, const std::vector<Text>& texts, int64_t depths,
                 ProbeReading& reading) {
  const ReadingScope scope(draft.config);
  draft.config.tap_ids = reading.tap_ids;
  draft.config.norm_output = reading.norm_output;
  AcceptStatistics walked;
  int64_t first_right = 0;
  for (const Text& text : texts) {
    const std::vector<int32_t> right =
        right_depths(exec, target, draft, {.ids = text.ids, .first_row = text.first_row, .depths = depths});
    const auto kept = std::accumulate(right.begin(), right.end(), std::ssize(right));
    if (!right.empty()) reading.kept_per_row.push_back(static_cast<double>(kept) / static_cast<double>(right.size()));
    walked.add(walk_span(right, depths));
    first_right += std::count_if(right.begin(), right.end(), [](int32_t depth) { return depth > 0; });
  }
  reading.verify_steps = walked.verify_steps();
  reading.accept_length = walked.accept_length();
  reading.first_right = static_cast<double>(first_right) / static_cast<double>(std::max<int64_t>(walked.tokens(), 1));
}

std::string sentence(const ProbeReport& report) {
  const std::vector<ProbeReading>& all = report.readings;
  const ProbeReading &own = all.front(), &best = all[report.best];
  const std::string basis = fmt::format("({}, {})", counted(std::ssize(own.kept_per_row), "prompt"),
                                        counted(own.verify_steps, "verify step"));
  const std::string figures =
      fmt::format("accept length {:.2f}, first draft right {:.0f} %", own.accept_length, 100 * own.first_right);
  const auto own_is_better = [&](const ProbeReading& other) { return clearly_better(own, other); };
  if (report.best == 0 && std::all_of(all.begin() + 1, all.end(), own_is_better))
    return fmt::format("the draft fits as its file reads: {} {}", figures, basis);
  if (report.best == 0) {
    const bool few = std::ssize(own.kept_per_row) < kFewestProbePrompts;
    return fmt::format("no reading is clearly better than the file's own: {} {}{}", figures, basis,
                       few ? fmt::format("; fewer than {} prompts tell nothing", kFewestProbePrompts) : "");
  }
  std::string change;
  if (best.tap_shift != 0) change = fmt::format("tap ids {}", fmt::join(best.tap_ids, ","));
  if (best.norm_output != own.norm_output)
    change += fmt::format("{}norm_output {}", change.empty() ? "" : " and ", best.norm_output ? "on" : "off");
  return fmt::format("the draft fits better with {}: accept length {:.2f} instead of {:.2f} {}", change,
                     best.accept_length, own.accept_length, basis);
}

}  // namespace

bool clearly_better(const ProbeReading& one, const ProbeReading& other) {
  constexpr double kStandardErrors = 3;  // two would advise wrongly once in some ten probes: five readings try
  const size_t count = one.kept_per_row.size();
  if (static_cast<int64_t>(count) < kFewestProbePrompts) return false;
  const auto n = static_cast<double>(count);
  double sum = 0, squares = 0;
  for (size_t i = 0; i < count; ++i) {
    const double difference = one.kept_per_row[i] - other.kept_per_row[i];
    sum += difference, squares += difference * difference;
  }
  const double mean = sum / n, variance = std::max(squares / n - mean * mean, 0.0) * n / (n - 1);
  return mean > kStandardErrors * std::sqrt(variance / n);
}

ProbeReport probe_draft(Exec& exec, const Target& target, Draft& draft,
                        const std::vector<std::vector<int32_t>>& prompts, const ProbeOptions& options) {
  if (prompts.empty()) throw Error(ErrorKind::input, "prompts", "expected at least one, found none");
  const Generator checked(exec, target, &draft);
  ProbeReport report{.readings = possible_readings(target, draft.config), .best = 0, .verdict = ""};
  const std::vector<Text> texts = greedy_texts(exec, target, prompts, options.max_new_tokens);
  for (ProbeReading& reading : report.readings) try_reading(exec, target, draft, texts, options.depths, reading);
  for (size_t i = 1; i < report.readings.size(); ++i)
    if (report.readings[i].accept_length > report.readings[report.best].accept_length &&
        clearly_better(report.readings[i], report.readings[0]))
      report.best = i;
  report.verdict = sentence(report);
  return report;
}

}  // namespace eyrie
