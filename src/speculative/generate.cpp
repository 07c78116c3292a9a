#include "speculative/generate.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "model/fit.h"
#include "ops/linear.h"
#include "speculative/chain.h"
#include "speculative/stop_text.h"

namespace eyrie {
namespace {

// Keeps tokens, and says when the sequence ends: stop token, stop string, length.
class Output {
 public:
  Output(std::span<const int32_t> prompt, const GenerateOptions& options, GenerateResult& result)
      : options_(options), result_(result), stop_text_(options.stop_strings), sequence_(prompt.begin(), prompt.end()) {
    const auto tokens = static_cast<size_t>(options.max_new_tokens);
    sequence_.reserve(prompt.size() + tokens);
    result.ids.reserve(tokens);
    result.from_draft.reserve(tokens);
  }

  bool keep(int32_t token, bool from_draft) {  // false: this was the last one
    sequence_.push_back(token);
    result_.ids.push_back(token);
    result_.from_draft.push_back(from_draft);
    if (options_.text.decode) write(stop_text_.push(options_.text.decode(token)));
    if (stop_text_.found()) return end(FinishReason::stop_string);
    if (std::find(options_.stop_ids.begin(), options_.stop_ids.end(), token) != options_.stop_ids.end())
      return end(FinishReason::stop_token);
    return tokens_left() > 0 || end(FinishReason::length);
  }

  void finish() {
    if (stop_text_.found()) return;
    if (options_.text.finish) write(stop_text_.push(options_.text.finish()));
    if (stop_text_.found())
      result_.finish = FinishReason::stop_string;
    else
      write(stop_text_.finish());
  }

  int64_t tokens_left() const { return options_.max_new_tokens - static_cast<int64_t>(result_.ids.size()); }
  int64_t known() const { return static_cast<int64_t>(sequence_.size()); }
  std::span<const int32_t> sequence() const { return sequence_; }

 private:
  bool end(FinishReason reason) {
    result_.finish = reason;
    return false;
  }
  void write(const std::string& bytes) {
    result_.text += bytes;
    if (options_.text.write && !bytes.empty()) options_.text.write(bytes);
  }

  const GenerateOptions& options_;
  GenerateResult& result_;
  StopText stop_text_;
  std::vector<int32_t> sequence_;  // prompt and output
};

struct RequestModels {
  Exec& exec;
  const Target& target;
  const Draft* draft;  // null: plain decode
  int64_t prefill_chunk;
};

// One request on its own pages.
class Request {
 public:
  Request(const RequestModels& models, PagePool& pool, std::span<const int32_t> prompt, const GenerateOptions& options)
      : exec_(models.exec),
        prompt_tokens_(static_cast<int64_t>(prompt.size())),
        chunk_(std::min(models.prefill_chunk, prompt_tokens_)),
        chain_(options.chain),
        positions_(models.target.rope.positions()),
        sequence_(pool),
        target_(models.exec, models.target, sequence_,
                models.draft ? std::span<const int64_t>(models.draft->config.tap_ids) : std::span<const int64_t>(),
                std::max(chunk_, options.chain + 1), options.chain + 1),
        sampler_(options.sampling, models.target.config.vocabulary),
        output_(prompt, options, result_),
        drafts_(static_cast<size_t>(options.chain) + 1) {
    if (models.draft) draft_.emplace(models.exec, *models.draft, sequence_, std::max(chunk_, options.chain + 1));
    if (draft_) draft_positions_ = draft_->positions();
    sampler_.add_prompt(prompt);
    choose_ = [this, &model = models.target.directory](int64_t row) {
      const std::span<float> logits(logits_.as<float>() + row * logits_.dim(1), static_cast<size_t>(logits_.dim(1)));
      return at_place(model, [&] { return sampler_.choose(logits, output_.known()); });
    };
    keep_ = [this](int32_t token, bool from_draft) {
      sampler_.add_output(token);
      return output_.keep(token, from_draft);
    };
  }

  GenerateResult run() {
    bool more = prefill() && output_.known() <= positions_;
    while (more) more = cycle() && output_.known() <= positions_;
    output_.finish();
    return std::move(result_);
  }

 private:
  bool prefill() {
    bool more = true;
    drop_draft_beyond_its_positions(prompt_tokens_ + 1);
    for (const IndexRange& rows : prefill_chunks(prompt_tokens_, chunk_)) {
      sequence_.reserve(rows.end);
      target_.run(output_.sequence().subspan(static_cast<size_t>(rows.begin), static_cast<size_t>(rows.count())),
                  rows.begin);
      if (rows.end == prompt_tokens_) {
        logits_ = target_.logits(rows.count() - 1, rows.count());
        more = keep_(choose_(0), false);
      }
      if (draft_) draft_->extend(target_.taps(), tokens_taken(output_.sequence(), rows), rows.begin);
    }
    result_.seconds.prefill = watch_.lap();
    return more;
  }

  bool cycle() {
    drop_draft_beyond_its_positions(output_.known());
    const Cycle plan{output_.known(), chain_that_fits()};
    sequence_.reserve(plan.verify_rows().end);
    drafts_[0] = output_.sequence().back();
    if (plan.chain > 0) propose(plan);
    result_.seconds.draft += watch_.lap();

    const std::span<const int32_t> rows(drafts_.data(), static_cast<size_t>(plan.chain) + 1);
    target_.run(rows, plan.verify_rows().begin);
    logits_ = target_.logits(0, plan.chain + 1);
    result_.seconds.target += watch_.lap();

    const Acceptance kept = accept(rows.subspan(1), choose_, keep_);
    result_.accepted.add(kept.tokens);
    result_.seconds.choose += watch_.lap();
    if (kept.ended) return false;

    sequence_.truncate(plan.extended_slots(kept.accepted).end);
    if (draft_) extend(plan.extended_slots(kept.accepted));
    result_.seconds.draft += watch_.lap();
    return true;
  }

  // Draft 1 continues the last extended slot; each further one is a chain step on the one before.
  void propose(const Cycle& plan) {
    drafts_[1] = draft_->best();
    const IndexRange slots = plan.chain_slots();
    for (int64_t step = 0; step < slots.count(); ++step) {
      draft_->step(drafts_[static_cast<size_t>(step) + 1], slots.begin + step);
      drafts_[static_cast<size_t>(step) + 2] = draft_->best();
    }
  }

  void extend(IndexRange slots) {
    if (slots.end > draft_positions_) return;  // dropped at the next cycle
    draft_->extend(target_.taps().slice(0, slots.count()), tokens_taken(output_.sequence(), slots), slots.begin);
  }

  // A draft may know fewer positions than its target; from there the target goes on alone.
  void drop_draft_beyond_its_positions(int64_t known) {
    if (!draft_ || known - 1 <= draft_positions_) return;
    log_info_once(fmt::format("the draft knows {} positions: behind them nothing is drafted", draft_positions_));
    draft_.reset();
  }

  int64_t chain_that_fits() const {
    if (!draft_) return 0;
    return fitting_chain(chain_, output_.known(), output_.tokens_left(), std::min(positions_, draft_positions_));
  }

  Exec& exec_;
  int64_t prompt_tokens_, chunk_, chain_, positions_, draft_positions_ = 0;
  PagedSequence sequence_;
  CachedTarget target_;
  std::optional<CachedDraft> draft_;
  Sampler sampler_;
  GenerateResult result_;
  Output output_;
  std::vector<int32_t> drafts_;  // the last known token, then the proposals
  Tensor logits_;                // of the rows being chosen from
  ChooseToken choose_;
  KeepToken keep_;
  Stopwatch watch_;
};

void check(std::span<const int32_t> prompt, const GenerateOptions& options, const Target& target) {
  if (options.chain < 0 || options.chain > kMostDrafts)
    throw Error(ErrorKind::usage, "chain",
                fmt::format("expected 0..{} drafts per verify, found {}", kMostDrafts, options.chain));
  if (options.max_new_tokens < 1)
    throw Error(ErrorKind::usage, "max-new-tokens",
                fmt::format("expected at least 1, found {}", options.max_new_tokens));
  if (!options.stop_strings.empty() && !options.text.decode)
    throw Error(ErrorKind::usage, "stop string", "expected a way to decode tokens, found none");
  const int64_t positions = target.rope.positions(), tokens = static_cast<int64_t>(prompt.size());
  if (tokens < 1 || tokens > positions)
    throw Error(ErrorKind::input, "prompt", fmt::format("expected 1..{} tokens, found {}", positions, tokens));
  for (const int32_t id : prompt)
    if (id < 0 || id >= target.config.vocabulary)
      throw Error(ErrorKind::input, "prompt",
                  fmt::format("expected ids in 0..{}, found {}", target.config.vocabulary - 1, id));
}

}  // namespace

std::string_view name(FinishReason reason) {
  constexpr std::string_view kNames[] = {"stop token", "stop string", "length"};
  return kNames[static_cast<size_t>(reason)];
}

void GenerateSeconds::add(const GenerateSeconds& other) {
  prefill += other.prefill, draft += other.draft, target += other.target, choose += other.choose;
}

Generator::Generator(Exec& exec, const Target& target, const Draft* draft, const GeneratorOptions& options)
    : exec_(exec), target_(target), draft_(draft), options_(options) {
  if (options.prefill_chunk < 1)
    throw Error(ErrorKind::usage, "prefill-chunk", fmt::format("expected at least 1, found {}", options.prefill_chunk));
  if (!draft) return;
  std::string reasons = fmt::format("{}", fmt::join(fit(draft->config, target.config).mismatches, "; "));
  if (draft->config.tap_ids.empty()) reasons = "its tap ids are not resolved for this target";
  if (!reasons.empty()) throw Error(ErrorKind::input, "draft", reasons);
}

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
  const RequestModels models{exec_, target_, options.chain > 0 ? draft_ : nullptr, options_.prefill_chunk};
  // A verify never holds more rows than tokens that may still come, so no row stands behind the last token.
  PagePool& pool = pool_for(tokens + fitting.max_new_tokens);
  return Request(models, pool, prompt, fitting).run();
}

}  // namespace eyrie
