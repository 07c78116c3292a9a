// speculative/chain.h: the index rules of chain speculation (spec §8; docs/math.md, "Alignment"), as pure functions.
//
//   slot i of the draft takes (h_i, token i+1) at RoPE position i and predicts token i+2
//   h_i = fc(taps of target row i)      the slot is extended from the target
//       = g, what slot i-1 handed on    the slot is a chain step, overwritten once row i has real taps
//
// Chain step k behind slot t is depth k of training's row t: same token, same position, same prediction.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace eyrie {

inline constexpr int64_t kMostDrafts = 15;  // of one verify

struct IndexRange {
  int64_t begin = 0, end = 0;  // begin .. end-1
  int64_t count() const { return end - begin; }
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

struct DraftIndices {
  int64_t token, position, predicted;  // the token taken, its RoPE position (and cache slot), the token predicted
};
constexpr DraftIndices draft_indices(int64_t row, int64_t depth) {
  return {row + 1 + depth, row + depth, row + 2 + depth};
}

// One cycle of speculation. Tokens 0 .. known-1 are known; the target has cached rows 0 .. known-2 and the draft has
// extended the same slots, so the last token awaits its row.
struct Cycle {
  int64_t known = 0;
  int64_t chain = 0;  // n; 0 is plain decode

  int64_t last_slot() const { return known - 2; }  // its prediction is draft 1
  IndexRange chain_slots() const { return {known - 1, known - 1 + (chain > 0 ? chain - 1 : 0)}; }  // made from g
  IndexRange verify_rows() const { return {known - 1, known + chain}; }  // token known-1, then the drafts
  // After m accepted drafts and the target's own token: the slots to extend from real taps, every accepted row among
  // them and the row of token known-1. They cover all chain slots that stay in the sequence.
  IndexRange extended_slots(int64_t accepted) const { return {known - 1, known + accepted}; }
  int64_t known_after(int64_t accepted) const { return known + accepted + 1; }
};

// The chain that fits: a verify may keep chain+1 tokens, and its rows stand at known-1 .. known-1+chain.
int64_t fitting_chain(int64_t wanted, int64_t known, int64_t tokens_left, int64_t positions);

// The tokens that slots [begin, end) take: the *next* token of each. In a prefill chunk that is not the last the last
// slot takes the next prompt token. Error{internal} when the sequence does not hold them yet.
std::span<const int32_t> tokens_taken(std::span<const int32_t> sequence, IndexRange slots);

// A prompt's rows in chunks of at most `chunk` rows.
std::vector<IndexRange> prefill_chunks(int64_t prompt_tokens, int64_t chunk);

}  // namespace eyrie
