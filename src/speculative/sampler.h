// speculative/sampler.h: the target's choice of a token from its logits (spec §8; docs/math.md, "Acceptance").
//
//   processors, in Hugging Face's order:
//     repetition   l = l / r where l > 0, else l r             tokens of prompt and output
//     frequency    l = l - f (times in the output) - p (in the output at all: presence)
//     bias         l = l + b
//     temperature  l = l / T                                   T = 0: the highest l, lowest id among equals, and done
//     top-k        keeps l >= the k-th highest                 ties with it stay
//     top-p        keeps a token while the mass ahead of it (higher l first, then lower id) is < p
//     min-p        keeps probabilities >= min_p times the highest
//   draw: u = Philox(key = seed, counter = the position of the token drawn); the first id, ascending, whose cumulative
//   probability exceeds u. The outcome depends on logits, history, seed and position alone.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace eyrie {

struct SamplingOptions {
  double temperature = 0;  // 0: greedy
  int64_t top_k = 0;       // 0: off
  double top_p = 1;        // 1: off
  double min_p = 0;        // 0: off
  double repetition_penalty = 1;
  double presence_penalty = 0, frequency_penalty = 0;
  std::vector<std::pair<int32_t, double>> logit_bias = {};  // token id, what is added
  uint64_t seed = 0;
};

// The highest logit's id, the lowest among equals. Error{internal} when no logit is above minus infinity.
int32_t argmax(std::span<const float> logits);

class Sampler {
 public:
  // Error{usage} with the option, the range and the value; Error{input} for a bias outside the vocabulary.
  Sampler(const SamplingOptions& options, int64_t vocabulary);

  // The history that penalties read; every token of the sequence is told once, in order.
  void add_prompt(std::span<const int32_t> tokens);
  void add_output(int32_t token);

  // logits [V], changed in place. `position`: the index in the sequence of the token chosen, prompt included.
  int32_t choose(std::span<float> logits, int64_t position);

  // Every id that can be drawn with its probability, ascending by id (temperature > 0). Changes logits.
  std::vector<std::pair<int32_t, double>> distribution(std::span<float> logits);

 private:
  struct Candidate {
    int32_t id;
    double weight;  // exp(l - highest l)
  };
  void note(int32_t token);
  void process(std::span<float> logits) const;
  void select(std::span<const float> logits);
  void keep_top_p();

  SamplingOptions options_;
  bool penalties_;
  std::vector<int32_t> noted_;         // distinct tokens of the history
  std::vector<uint8_t> seen_;          // [V] in the history
  std::vector<int32_t> output_count_;  // [V]
  std::vector<Candidate> kept_, ranked_;
  std::vector<float> ordered_;
};

}  // namespace eyrie
