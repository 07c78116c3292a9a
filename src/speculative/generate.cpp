#include "speculative/generate.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/time.h"
#include "model/fit.h"

namespace eyrie {
namespace {

void check(std::span<const int32_t> prompt, const GenerateOptions& options, const Target& target) {
  if (options.chain < 0 || options.chain > kMostDrafts)
    throw Error(ErrorKind::usage, "chain",
                fmt::format("expected 0..{} drafts per verify, found {}", kMostDrafts, options.chain));
  if (options.max_new_tokens < 1)
    throw Error(ErrorKind::usage, "max-new-tokens",
                fmt::format("expected at least 1, found {}", options.max_new_tokens));
  if (!options.stop_strings.empty() && !options.text.decode)
    throw Error(ErrorKind::usage, "stop", "expected a way to decode tokens, found none");
  const int64_t positions = target.rope.positions(), tokens = static_cast<int64_t>(prompt.size());
  if (tokens < 1 || tokens > positions)
    throw Error(ErrorKind::input, "prompt", fmt::format("expected 1..{} tokens, found {}", positions, tokens));
  for (const int32_t id : prompt)
    if (id < 0 || id >= target.config.vocabulary)
      throw Error(ErrorKind::input, "prompt",
                  fmt::format("expected ids in 0..{}, found {}", target.config.vocabulary - 1, id));
}

GeneratorOptions checked(GeneratorOptions options, const Target& target, const Draft* draft) {
  if (options.prefill_chunk < 1)
    throw Error(ErrorKind::usage, "prefill-chunk", fmt::format("expected at least 1, found {}", options.prefill_chunk));
  options.prefill_chunk = std::min(options.prefill_chunk, target.rope.positions());
  if (!draft) return options;
  std::string reasons = fmt::format("{}", fmt::join(fit(draft->config, target.config).mismatches, "; "));
  if (draft->config.tap_ids.empty()) reasons = "its tap ids are not resolved for this target";
  if (!reasons.empty()) throw Error(ErrorKind::input, "draft", reasons);
  return options;
}

}  // namespace

Generator::Generator(Exec& exec, const Target& target, const Draft* draft, const GeneratorOptions& options)
    : target_(target),
      draft_(draft),
      options_(checked(options, target, draft)),
      speculation_(exec, target, draft,
                   {.rows = std::max(options_.prefill_chunk, kMostDrafts + 1), .logits = kMostDrafts + 1}) {}

PagePool& Generator::pool_for(int64_t positions) {
  const int64_t pages = (positions + options_.page_size - 1) / options_.page_size;
  if (!pool_ || pool_->total() < pages)
    pool_ = std::make_unique<PagePool>(cache_layers(target_.config, draft_ ? &draft_->config : nullptr),
                                       options_.page_size, pages);
  return *pool_;
}

GenerateResult Generator::generate(std::span<const int32_t> prompt, const GenerateOptions& options) {
  check(prompt, options, target_);
  const int64_t positions = target_.rope.positions(), tokens = static_cast<int64_t>(prompt.size());
  GenerateOptions fitting = options;
  fitting.max_new_tokens = std::min(options.max_new_tokens, positions + 1 - tokens);
  // A verify never holds more rows than tokens that may still come, so no row stands behind the last token.
  Sequence sequence(pool_for(tokens + fitting.max_new_tokens), prompt, fitting,
                    {.vocabulary = target_.config.vocabulary,
                     .positions = positions,
                     .draft_positions = draft_ ? draft_->rope.positions() : 0});
  Sequence* const alone[] = {&sequence};
  GenerateSeconds& seconds = sequence.result.seconds;
  for (Stopwatch watch; !sequence.ended;) {
    const auto lap = [&, prefill = sequence.in_prompt()](double& share) {
      (prefill ? seconds.prefill : share) += watch.lap();
    };
    sequence.plan(options_.prefill_chunk);
    propose(speculation_, alone);
    lap(seconds.draft);
    verify(speculation_, alone);
    lap(seconds.target);
    keep(speculation_, alone);
    lap(seconds.choose);
    if (!sequence.ended) extend(speculation_, alone);
    lap(seconds.draft);
  }
  return sequence.finish();
}

}  // namespace eyrie
