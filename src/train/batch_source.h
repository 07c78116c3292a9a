// train/batch_source.h: where packed batches and the target's states for them come from: conversations through the
// target in this process, or captured features. Batch i of an epoch depends on (seed, epoch, i) alone, so a resumed run
// sees the batches that an unbroken one would.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/features.h"
#include "model/device_copies.h"

namespace eyrie {

// The target's states of one batch, in scratch memory.
struct TargetStates {
  Tensor taps, last_hidden;  // [T, m·Ht], [T, Ht] of exec's activations
};
TargetStates take_states(Exec&, const DraftConfig&, int64_t tokens);

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // On a GPU before the first states are read there. `copies` must outlive the source.
  virtual void send(DeviceCopies&) {}
  virtual int64_t batches(int64_t epoch) const = 0;
  virtual PackedBatch tokens(int64_t epoch, int64_t index) const = 0;
  // taps [T, m·Ht] and last_hidden [T, Ht] of that batch, written, in the type of exec's activations.
  virtual void read_states(Exec&, int64_t epoch, int64_t index, const PackedBatch& tokens, const Tensor& taps,
                           const Tensor& last_hidden) const = 0;
  virtual FeatureInfo info() const = 0;
  virtual int64_t taps() const = 0;                                   // m
  virtual std::string place(int64_t epoch, int64_t index) const = 0;  // the file of a batch, for errors
};

// `tap_ids` (to be filled before states are read) and `sequences` must outlive the source. A held-out source is asked
// for epoch 0 alone.
std::unique_ptr<BatchSource> conversation_source(const Target& target, const std::vector<int64_t>& tap_ids,
                                                 const std::vector<TokenSequence>& sequences, int64_t token_budget,
                                                 uint64_t seed);
// Feature files, each one batch, shuffled per epoch. Errors: Error{file} when two files differ in target, tap ids or
// number of taps, or one does not fit a target of this vocabulary and hidden size.
std::unique_ptr<BatchSource> feature_source(const std::string& directory, uint64_t seed, int64_t vocabulary,
                                            int64_t hidden);

// The micro-batches of a run in order: epoch after epoch.
struct BatchPlace {
  int64_t epoch = 0, index = 0;
};
class BatchOrder {
 public:
  explicit BatchOrder(const BatchSource& source) : source_(source) {}
  BatchPlace place(int64_t micro_batch);
  int64_t micro_batches(int64_t epochs);  // of the first `epochs` epochs

 private:
  void know_epoch(int64_t epoch);
  const BatchSource& source_;
  std::vector<int64_t> first_{0};  // [epoch] the run's index of the epoch's first micro-batch
};

}  // namespace eyrie
