#include "speculative/sequence.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"

namespace eyrie {

std::string_view name(FinishReason reason) {
  constexpr std::string_view kNames[] = {"stop token", "stop string", "length"};
  return kNames[static_cast<size_t>(reason)];
}

void GenerateSeconds::add(const GenerateSeconds& other) {
  prefill += other.prefill, draft += other.draft, target += other.target, choose += other.choose;
}

Sequence::Sequence(PagePool& pool, std::span<const int32_t> prompt, const GenerateOptions& options,
                   const SequenceLimits& limits)
    : pages(pool),
      tokens(prompt.begin(), prompt.end()),
      prompt_tokens(std::ssize(prompt)),
      known(prompt_tokens),
      drafted(limits.draft_positions > 0 && options.chain > 0),
      options_(options),
      limits_(limits),
      sampler_(options.sampling, limits.vocabulary),
      stop_text_(options.stop_strings) {
  const auto new_tokens = static_cast<size_t>(options.max_new_tokens);
  tokens.reserve(prompt.size() + new_tokens);
  result.ids.reserve(new_tokens), result.from_draft.reserve(new_tokens);
  chosen_.reserve(static_cast<size_t>(options.chain) + 1);
  sampler_.add_prompt(prompt);
  drop_draft_behind(prompt_tokens);
}

// A draft may know fewer positions than its target; from there the target goes on alone.
void Sequence::drop_draft_behind(int64_t slots) {
  if (!drafted || slots <= limits_.draft_positions) return;
  log_info_once(fmt::format("the draft knows {} positions: behind them nothing is drafted", limits_.draft_positions));
  drafted = false;
}

void Sequence::plan(int64_t prefill_chunk) {
  const int64_t done = extended_slots().end;
  if (in_prompt()) {
    cycle = {{done, std::min(done + prefill_chunk, known)}, 0};
  } else {
    const int64_t positions = std::min(limits_.positions, limits_.draft_positions);
    cycle = verify_cycle(known, drafted ? fitting_chain(options_.chain, known, tokens_left(), positions) : 0);
  }
  kept_drafts = 0;
  pages.reserve(cycle.rows.end);
}

void Sequence::keep(Tensor logits, const std::string& model) {
  if (logits.dim(0) == 0) return;
  const std::span<const int32_t> drafts = std::span(tokens).subspan(static_cast<size_t>(known));
  const auto vocabulary = static_cast<size_t>(logits.dim(1));
  chosen_.clear();
  // In order, and no further than the walk goes: the sampler's penalties read what was kept before.
  for (bool more = true; more;) {
    const int64_t at = std::ssize(chosen_);
    const std::span<float> row(logits[at].as<float>(), vocabulary);
    chosen_.push_back(at_place(model, [&] { return sampler_.choose(row, known + at); }));
    sampler_.add_output(chosen_.back());
    kept_drafts = accepted(drafts, chosen_);
    take(chosen_.back(), kept_drafts > at);
    more = kept_drafts > at && !ended;
  }
  if (!in_prompt()) result.accepted.add(std::ssize(chosen_));
  known += std::ssize(chosen_);
  tokens.resize(static_cast<size_t>(known) - 1);  // the drafts kept
  tokens.push_back(chosen_.back());
  if (ended) return;
  pages.truncate(extended_slots().end);
  drop_draft_behind(extended_slots().end);
}

// A token of the answer: its text, and whether the sequence ends with it.
void Sequence::take(int32_t token, bool from_draft) {
  result.ids.push_back(token);
  result.from_draft.push_back(from_draft);
  if (options_.text.decode) write(stop_text_.push(options_.text.decode(token)));
  if (stop_text_.found()) return end(FinishReason::stop_string);
  if (std::ranges::count(options_.stop_ids, token)) return end(FinishReason::stop_token);
  if (tokens_left() == 0) end(FinishReason::length);
}

GenerateResult Sequence::finish() {
  if (!stop_text_.found() && options_.text.finish) write(stop_text_.push(options_.text.finish()));
  if (stop_text_.found())
    result.finish = FinishReason::stop_string;
  else
    write(stop_text_.finish());
  return std::move(result);
}

void Sequence::write(const std::string& bytes) {
  result.text += bytes;
  if (options_.text.write && !bytes.empty()) options_.text.write(bytes);
}

}  // namespace eyrie
