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

// One step of a sequence. The rows before are in the target's cache, and the draft is extended to the same slots.
struct Cycle {
  IndexRange rows =
      {};             // of the target: a chunk of the prompt, or the last known token's row and the drafts' behind it
  int64_t chain = 0;  // n, drafts among them; 0 is plain decode

  IndexRange chain_slots() const { return {rows.begin, rows.begin + (chain > 0 ? chain - 1 : 0)}; }  // made from g
  // After m accepted drafts and the target's own token: the slots to extend from real taps, those of the rows that
  // stay. They cover all chain slots that stay in the sequence.
  IndexRange extended_slots(int64_t accepted) const { return {rows.begin, rows.end - chain + accepted}; }
};
// Tokens 0 .. known-1 are known; the last awaits its row.
constexpr Cycle verify_cycle(int64_t known, int64_t chain) { return {{known - 1, known + chain}, chain}; }

// The chain that fits: a verify may keep chain+1 tokens, and its rows stand at known-1 .. known-1+chain.
int64_t fitting_chain(int64_t wanted, int64_t known, int64_t tokens_left, int64_t positions);

// The tokens that slots [begin, end) take: the *next* token of each. In a prefill chunk that is not the last the last
// slot takes the next prompt token. Error{internal} when the sequence does not hold them yet.
std::span<const int32_t> tokens_taken(std::span<const int32_t> sequence, IndexRange slots);

}  // namespace eyrie
