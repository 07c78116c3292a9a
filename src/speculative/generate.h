// speculative/generate.h: one request, from prompt to tokens: prefill in chunks, then cycles of draft, verify, accept,
// extend (spec §8). Plain decode is the cycle with a chain of 0.
//
// The ids are the same with and without a draft, greedy and sampled, for every chain: a verify row's logits are bitwise
// those of a single-row decode, and a draw depends on seed and position alone.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "speculative/accept.h"
#include "speculative/cached_models.h"
#include "speculative/sampler.h"

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

struct GeneratorOptions {
  int64_t page_size = 16;
  int64_t prefill_chunk = 256;  // rows
};

class Generator {
 public:
  // `draft` may be null; its tap ids are resolved (model/config.h). Error{input} with a sentence per mismatch when it
  // does not fit the target. Exec, target and draft must outlive the generator.
  Generator(Exec& exec, const Target& target, const Draft* draft, const GeneratorOptions& options = {});

  // Error{usage}: options out of range; Error{input}: an empty prompt, ids outside the vocabulary, a prompt longer than
  // the target's positions. After an error the generator serves the next request.
  GenerateResult generate(std::span<const int32_t> prompt, const GenerateOptions& options);

  // The cache as the last request left it: every page free.
  const PagePool* pool() const { return pool_.get(); }

 private:
  PagePool& pool_for(int64_t positions);
  Exec& exec_;
  const Target& target_;
  const Draft* draft_;
  GeneratorOptions options_;
  std::unique_ptr<PagePool> pool_;
};

}  // namespace eyrie
