// attention/cpu/mask_walk.h: the tiles that a BlockMask lists: FULL ones as they lie, then PARTIAL ones, cut to
// the keys that some lane sees and copied, with 0 in place of keys that no lane sees.
//
// Both grids, of rows and of keys, count from the start of the batch. A lane's sums therefore change their order (not
// their terms) with its sequence's place in the batch. Where it begins at a multiple of kTileKeys, its FULL tiles come
// before its PARTIAL ones, in a row tile shared with another sequence as in one of its own: the bits stay the same.
#pragma once
#include "attention/block_mask.h"
#include "attention/cpu/key_walk.h"

namespace eyrie::tiles {

class MaskWalk : public KeyWalk {
 public:
  explicit MaskWalk(const SuffixAttention& problem);
  int64_t mask_bytes() const;  // of scratch, for build
  void build(Exec& exec);      // the lists, in exec.scratch: before any visit

  int64_t floats() const override;
  void visit(const TileView& view, float* memory, const KeyGradients* gradients, const Visit& visit) const override;

 private:
  bool begins_anew(int64_t) const override { return false; }

  BlockTile tile_;
  BlockMaskRows rows_;
  BlockMask mask_ = {};
};

}  // namespace eyrie::tiles
