#include "app/idle_flags.h"

namespace eyrie {
namespace {

struct Rule {
  bool idle;
  std::string_view why;
  std::vector<std::string_view> keys;
};

std::vector<IdleFlag> idle_of(const std::vector<Rule>& rules) {
  std::vector<IdleFlag> flags;
  for (const Rule& rule : rules)
    for (const std::string_view key : rule.keys)
      if (rule.idle) flags.push_back({key, rule.why});
  return flags;
}

}  // namespace

std::vector<IdleFlag> idle_flags(const TrainCommand& command) {
  const TrainOptions& t = command.train;
  const bool features = !t.features.empty();
  return idle_of({
      {t.held_out.empty(),
       "has no effect without --held-out",
       {"evaluate-every", "generate-every", "chain", "prompts", "prompt-count"}},
      {t.evaluate_every == 0, "has no effect without --evaluate-every", {"generate-every"}},
      {!features, "has no effect without --features", {"target-weights", "lm-head-key", "embedding-key"}},
      {features,
       "has no effect on --features, which are tokens in batches already",
       {"token-budget", "max-tokens", "bad-lines", "chat-template", "template-arg", "template-date"}},
      {features,
       "has no effect with --features: there is no target to generate with",
       {"generate-every", "prompts", "prompt-count"}},
      {!t.init_draft.empty(), "has no effect on a draft to begin with (--init-draft)", {"init"}},
      {t.steps > 0, "has no effect beside --steps", {"epochs"}},
  });
}

// A seed is no fault of a greedy run: it is the same with every seed.
std::vector<IdleFlag> idle_flags(const GenerateCommand& command) {
  return idle_of({
      {command.draft.empty(), "has no effect without --draft", {"tap-ids", "chain"}},
      {command.raw, "has no effect with --raw", {"chat-template", "template-arg", "template-date"}},
      {command.sampling.temperature == 0, "has no effect at --temperature 0", {"top-k", "top-p", "min-p"}},
  });
}

std::vector<IdleFlag> idle_flags(const InspectCommand& command) {
  return idle_of({{command.prompts.empty(),
                   "has no effect without --prompts",
                   {"max-new-tokens", "chat-template", "template-arg", "template-date"}}});
}

std::vector<IdleFlag> idle_flags(const DataCommand& command) {
  return idle_of({{command.json, "has no effect with --json", {"show"}}});
}

}  // namespace eyrie
