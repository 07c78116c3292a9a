// attention/cpu/key_walk.h: the tile iterator of a backend: how rows become lane tiles, and which tiles of keys each
// of them meets.
#pragma once
#include <functional>

#include "attention/cpu/lane_tile.h"

namespace eyrie::tiles {

struct KeyTile {
  ConstMatrix k, v;  // [keys, dim], [keys, value_dim]
  Matrix d_k, d_v;   // in a backward pass: as k and v, to be added to
  SeenKeys seen;
};

// Where a backward pass adds what it finds for the keys of one key-value head.
struct KeyGradients {
  Matrix d_prefix_k, d_prefix_v;  // [tokens, width]
  const SuffixAttentionBackward& grad;
};

class KeyWalk {
 public:
  using Visit = std::function<void(const KeyTile&)>;

  virtual ~KeyWalk() = default;
  LaneTiles lane_tiles(Exec& exec) const;  // in exec.scratch
  int64_t lane_tiles_bytes() const;
  virtual int64_t floats() const = 0;  // of the memory that one thread's visit takes, a multiple of kWidth
  // Every tile of keys that a lane of `view` sees, in an order of their own. `gradients`: null in a forward pass.
  virtual void visit(const TileView& view, float* memory, const KeyGradients* gradients, const Visit& visit) const = 0;

  const SuffixAttention& problem() const { return problem_; }
  const TileSizes& sizes() const { return sizes_; }

 protected:
  KeyWalk(const SuffixAttention& problem, int64_t least_rows) : problem_(problem), sizes_(problem, least_rows) {}

 private:
  virtual bool begins_anew(int64_t row) const = 0;  // no lane tile reaches over this row's upper edge; indices restart

  const SuffixAttention& problem_;
  const TileSizes sizes_;
};

// The prefix: a lane tile lies in one sequence, keys are walked in tiles that count from its start. What a lane sums,
// and in which order, does not depend on the batch.
class CausalWalk : public KeyWalk {
 public:
  explicit CausalWalk(const SuffixAttention& problem) : KeyWalk(problem, 1) {}
  int64_t floats() const override { return 2 * sizes().lanes; }
  void visit(const TileView& view, float* memory, const KeyGradients* gradients, const Visit& visit) const override;

 private:
  bool begins_anew(int64_t row) const override;
};

}  // namespace eyrie::tiles
