// speculative/sequence.h: a request without models: what is asked, what is known so far, and what its next step runs.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "speculative/accept.h"
#include "speculative/chain.h"
#include "speculative/kv_cache.h"
#include "speculative/sampler.h"
#include "speculative/stop_text.h"

namespace eyrie {

// How the caller turns ids into text; this room knows no tokenizer. Needed for stop strings and streaming.
struct TextStream {
  std::function<std::string(int32_t token)> decode = {};   // the bytes that become final with this token
  std::function<std::string()> finish = {};                // the bytes still held back at the end
  std::function<void(std::string_view bytes)> write = {};  // streamed text; may be empty
};

struct GenerateOptions {
  int64_t max_new_tokens = 512;
  int64_t chain = 4;  // n, drafts per verify: 0 .. 15
  SamplingOptions sampling = {};
  std::vector<int32_t> stop_ids = {};
  std::vector<std::string> stop_strings = {};
  TextStream text = {};
};

enum class FinishReason { stop_token, stop_string, length };
std::string_view name(FinishReason reason);

struct GenerateSeconds {
  double prefill = 0;  // target and draft over the prompt, first token included
  double draft = 0;    // extension and chain steps
  double target = 0;   // verify or decode rows with their logits
  double choose = 0;   // sampling, acceptance, text
  double after_prefill() const { return draft + target + choose; }
  void add(const GenerateSeconds& other);
};

struct GenerateResult {
  std::vector<int32_t> ids;         // generated, a stop token included
  std::vector<uint8_t> from_draft;  // [ids] 1: an accepted draft
  std::string text;                 // when the options can decode; ends before a stop string
  FinishReason finish = FinishReason::length;
  AcceptStatistics accepted;  // verify or decode steps; excludes the first id, which the prefill gives
  GenerateSeconds seconds;
};

struct SequenceLimits {
  int64_t vocabulary = 0, positions = 0;  // of the target
  int64_t draft_positions = 0;            // 0: there is no draft
};

class Sequence {
 public:
  Sequence(PagePool& pool, std::span<const int32_t> prompt, const GenerateOptions& options,
           const SequenceLimits& limits);

  // Its next step: a chunk of the prompt, or the last known token's row and as long a chain as fits. Reserves the pages
  // of both models for it.
  void plan(int64_t prefill_chunk);
  bool in_prompt() const { return known == prompt_tokens; }
  // How many of the step's last rows the target chooses at; none within the prompt.
  int64_t logit_rows() const { return cycle.rows.end < known ? 0 : cycle.chain + 1; }
  // Chooses from the logits [logit_rows, V] of those rows, changing them, and keeps the tokens up to the first that is
  // no draft or ends the sequence. `model`: where messages say that the logits come from.
  void keep(Tensor logits, const std::string& model);
  // The slots that the draft is extended to then: those of the rows that stay.
  IndexRange extended_slots() const { return cycle.extended_slots(kept_drafts); }
  GenerateResult finish();  // once it has ended

  PagedSequence pages;
  std::vector<int32_t> tokens;  // the known ones, then the drafts of this step
  int64_t prompt_tokens, known;
  Cycle cycle;              // this step, or the last
  int64_t kept_drafts = 0;  // of it
  bool drafted, ended = false;
  // Where the draft goes on: its first row of the target's last step; its row of logits of the draft's last call.
  int64_t target_row = 0, draft_row = 0;
  GenerateResult result;

 private:
  void drop_draft_behind(int64_t slots);
  void take(int32_t token, bool from_draft);
  void end(FinishReason reason) { ended = true, result.finish = reason; }
  void write(const std::string& bytes);
  int64_t tokens_left() const { return options_.max_new_tokens - std::ssize(result.ids); }

  GenerateOptions options_;
  SequenceLimits limits_;
  Sampler sampler_;
  StopText stop_text_;
  std::vector<int32_t> chosen_;  // of this step
};

}  // namespace eyrie
