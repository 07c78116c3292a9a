// speculative/generate.h: one request, from prompt to tokens: prefill in chunks, then cycles of draft, verify, accept,
// extend (spec §8). Plain decode is the cycle with a chain of 0.
//
// The ids are the same with and without a draft, greedy and sampled, for every chain: a verify row's logits are bitwise
// those of a single-row decode, and a draw depends on seed and position alone.
#pragma once
#include <memory>
#include <span>

#include "speculative/speculation.h"

namespace eyrie {

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
  const Target& target_;
  const Draft* draft_;
  GeneratorOptions options_;
  Speculation speculation_;
  std::unique_ptr<PagePool> pool_;
};

}  // namespace eyrie
