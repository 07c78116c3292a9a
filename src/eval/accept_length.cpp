#include "eval/accept_length.h"

#include <fmt/core.h>

#include "speculative/teacher_forced.h"

namespace eyrie {
namespace {

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

// The walked steps of one served text, for chains 1 .. n.
void walk_text(Exec& exec, const Target& target, const Draft& draft, std::span<const int32_t> prompt,
               const GenerateResult& result, std::vector<AcceptStatistics>& by_chain) {
  std::vector<int32_t> ids(prompt.begin(), prompt.end());
  ids.insert(ids.end(), result.ids.begin(), result.ids.end());
  const std::vector<int32_t> right = right_depths(exec, target, draft,
                                                  {.ids = ids,
                                                   .first_row = static_cast<int64_t>(prompt.size()) - 1,
                                                   .depths = static_cast<int64_t>(by_chain.size())});
  for (size_t i = 0; i < by_chain.size(); ++i) by_chain[i].add(walk_span(right, static_cast<int64_t>(i) + 1));
}

}  // namespace

void DecodeFigures::add(const GenerateResult& result) {
  steps.add(result.accepted);
  seconds.add(result.seconds);
}

double DecodeFigures::tokens_per_second() const {
  return ratio(static_cast<double>(steps.tokens()), seconds.after_prefill());
}

double DecodeFigures::seconds_per_step() const {
  return ratio(seconds.after_prefill(), static_cast<double>(steps.verify_steps()));
}

double SpeculationReport::speed_up() const { return ratio(speculative.tokens_per_second(), plain.tokens_per_second()); }
double SpeculationReport::break_even() const { return ratio(speculative.seconds_per_step(), plain.seconds_per_step()); }

std::string verdict(const SpeculationReport& report, int64_t chain) {
  const DecodeFigures& cycle = report.speculative;
  const double step = report.plain.seconds_per_step();
  const double plain_steps = static_cast<double>(cycle.steps.verify_steps()) * step;  // seconds, one for each cycle
  const bool pays = report.speed_up() > 1;
  const char* why = pays ? "" : " (where a target fits the caches, each of them costs its own arithmetic)";
  return fmt::format(
      "On this machine the draft {} from an accept length of {:.2f} on: a cycle takes {:.2f} ms and a plain step "
      "{:.2f} ms. With {:.2f} it gives {:.2f} times the tokens/s. Verifying {} tokens at once costs {:.1f} plain "
      "steps{}, "
      "drafting {:.1f}.",
      pays ? "pays" : "would pay", report.break_even(), 1e3 * cycle.seconds_per_step(), 1e3 * step,
      cycle.steps.accept_length(), report.speed_up(), chain + 1, ratio(cycle.seconds.target, plain_steps), why,
      ratio(cycle.seconds.draft, plain_steps));
}

SpeculationReport compare_speculation(Exec& exec, const Target& target, const Draft& draft,
                                      const std::vector<std::vector<int32_t>>& prompts,
                                      const SpeculationComparison& comparison) {
  SpeculationReport report;
  Generator plain(exec, target, nullptr), speculative(exec, target, &draft);
  std::vector<AcceptStatistics> by_chain(static_cast<size_t>(comparison.options.chain));
  for (const std::vector<int32_t>& prompt : prompts) {
    auto generate = [&](Generator& generator) {
      GenerateOptions options = comparison.options;
      if (comparison.text) options.text = comparison.text();
      return generator.generate(prompt, options);
    };
    const GenerateResult expected = generate(plain);
    GenerateResult found = generate(speculative);
    report.plain.add(expected), report.speculative.add(found);
    report.identical += found.ids == expected.ids;
    walk_text(exec, target, draft, prompt, found, by_chain);
    report.results.push_back(std::move(found));
    ++report.prompts;
    if (comparison.progress) comparison.progress(report.prompts);
  }
  for (const AcceptStatistics& steps : by_chain) report.accept_length_by_chain.push_back(steps.accept_length());
  return report;
}

}  // namespace eyrie
