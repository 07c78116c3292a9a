#include "train/batch_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace eyrie {
namespace {

class ConversationSource : public BatchSource {
 public:
  ConversationSource(const Target& target, const std::vector<int64_t>& tap_ids,
                     const std::vector<TokenSequence>& sequences, int64_t token_budget, uint64_t seed)
      : target_(target), there_(target), tap_ids_(tap_ids), sequences_(sequences), budget_(token_budget), seed_(seed) {}

  void send(DeviceCopies& copies) override { there_ = copies.of(target_), arrays_.reset(); }
  int64_t batches(int64_t epoch) const override { return static_cast<int64_t>(plan(epoch).size()); }

  PackedBatch tokens(int64_t epoch, int64_t index) const override {
    std::vector<const TokenSequence*> members;
    for (const int64_t i : plan(epoch)[static_cast<size_t>(index)])
      members.push_back(&sequences_[static_cast<size_t>(i)]);
    return pack(members);
  }

  void read_states(Exec& exec, int64_t, int64_t, const PackedBatch& tokens, const Tensor& taps,
                   const Tensor& last_hidden) const override {
    if (!arrays_) arrays_.emplace(exec);
    forward_packed(exec, *arrays_, there_, {tokens.input_ids, tokens.cu_seqlens}, tap_ids_, taps, last_hidden);
  }

  FeatureInfo info() const override { return {target_.fingerprint, tap_ids_, ""}; }
  int64_t taps() const override { return static_cast<int64_t>(tap_ids_.size()); }
  std::string place(int64_t, int64_t) const override { return "data"; }

 private:
  const std::vector<std::vector<int64_t>>& plan(int64_t epoch) const {
    if (epoch != planned_epoch_) {
      plan_ = plan_batches(sequences_, budget_, seed_, epoch);
      planned_epoch_ = epoch;
    }
    return plan_;
  }

  const Target& target_;
  Target there_;  // where it runs
  const std::vector<int64_t>& tap_ids_;
  const std::vector<TokenSequence>& sequences_;
  const int64_t budget_;
  const uint64_t seed_;
  mutable std::optional<HostArrays> arrays_;
  mutable int64_t planned_epoch_ = -1;  // a plan is made again only when the epoch changes
  mutable std::vector<std::vector<int64_t>> plan_;
};

class FeatureSource : public BatchSource {
 public:
  FeatureSource(const std::string& directory, uint64_t seed, int64_t vocabulary, int64_t hidden) : seed_(seed) {
    for (const std::string& path : feature_files(directory)) {
      files_.push_back(read_features(path));
      check_fit(files_.back(), vocabulary, hidden);
      check_alike(files_.front(), files_.back());
    }
  }

  int64_t batches(int64_t) const override { return static_cast<int64_t>(files_.size()); }
  PackedBatch tokens(int64_t epoch, int64_t index) const override { return file(epoch, index).tokens; }
  void read_states(Exec& exec, int64_t epoch, int64_t index, const PackedBatch&, const Tensor& taps,
                   const Tensor& last_hidden) const override {
    const FeatureBatch& batch = file(epoch, index);
    read(exec, batch.taps, taps);
    read(exec, batch.last_hidden, last_hidden);
  }
  FeatureInfo info() const override { return files_.front().info; }
  std::string place(int64_t epoch, int64_t index) const override { return file(epoch, index).file.path(); }
  int64_t taps() const override { return files_.front().taps.dim(1) / files_.front().last_hidden.dim(1); }

 private:
  static void check_fit(const FeatureBatch& batch, int64_t vocabulary, int64_t hidden) {
    const auto refuse = [&](const std::string& message) { throw Error(ErrorKind::file, batch.file.path(), message); };
    const int64_t found = batch.last_hidden.dim(1), taps_width = batch.taps.dim(1);
    if (found != hidden)
      refuse(fmt::format("last_hidden_states: expected width {} as the target's, found {}", hidden, found));
    if (taps_width % hidden != 0)
      refuse(fmt::format("aux_hidden_states: expected a multiple of the width {}, found {}", hidden, taps_width));
    const std::vector<int32_t>& ids = batch.tokens.input_ids;
    for (size_t t = 0; t < ids.size(); ++t)
      if (ids[t] >= vocabulary)
        refuse(fmt::format("input_ids[{}]: expected an id below {}, found {}", t, vocabulary, ids[t]));
  }

  static void check_alike(const FeatureBatch& first, const FeatureBatch& other) {
    const auto differs = [&](const char* what, const std::string& expected, const std::string& found) {
      if (expected != found)
        throw Error(ErrorKind::file, other.file.path(),
                    fmt::format("{}: expected {} as in {}, found {}", what, expected, first.file.path(), found));
    };
    differs("target fingerprint", first.info.target_fingerprint, other.info.target_fingerprint);
    differs("chat template", first.info.template_hash, other.info.template_hash);
    differs("aux_hidden_states width", std::to_string(first.taps.dim(1)), std::to_string(other.taps.dim(1)));
    if (first.info.tap_ids != other.info.tap_ids)
      throw Error(ErrorKind::file, other.file.path(), "tap ids differ from those of " + first.file.path());
  }

  // Converted on the CPU.
  static void read(Exec& exec, const ConstTensor& from, const Tensor& to) {
    if (exec.planning) return;
    if (exec.device == Device::cpu || from.dtype == to.dtype) return copy(exec, from, to);
    copy(exec, Buffer::copy_of(from, to.dtype), to);
    exec.wait();
  }

  const FeatureBatch& file(int64_t epoch, int64_t index) const {
    if (epoch != ordered_epoch_) {
      order_ = epoch_order(static_cast<int64_t>(files_.size()), seed_, epoch);
      ordered_epoch_ = epoch;
    }
    return files_[static_cast<size_t>(order_[static_cast<size_t>(index)])];
  }

  std::vector<FeatureBatch> files_;
  const uint64_t seed_;
  mutable int64_t ordered_epoch_ = -1;
  mutable std::vector<int64_t> order_;
};

}  // namespace

TargetStates take_states(Exec& exec, const DraftConfig& config, int64_t tokens) {
  return {exec.take({tokens, config.taps() * config.target_hidden}), exec.take({tokens, config.target_hidden})};
}

std::unique_ptr<BatchSource> conversation_source(const Target& target, const std::vector<int64_t>& tap_ids,
                                                 const std::vector<TokenSequence>& sequences, int64_t token_budget,
                                                 uint64_t seed) {
  return std::make_unique<ConversationSource>(target, tap_ids, sequences, token_budget, seed);
}

std::unique_ptr<BatchSource> feature_source(const std::string& directory, uint64_t seed, int64_t vocabulary,
                                            int64_t hidden) {
  return std::make_unique<FeatureSource>(directory, seed, vocabulary, hidden);
}

void BatchOrder::know_epoch(int64_t epoch) {
  while (static_cast<int64_t>(first_.size()) <= epoch + 1)
    first_.push_back(first_.back() + source_.batches(static_cast<int64_t>(first_.size()) - 1));
}

BatchPlace BatchOrder::place(int64_t micro_batch) {
  while (first_.back() <= micro_batch) know_epoch(static_cast<int64_t>(first_.size()) - 1);
  const auto behind = std::upper_bound(first_.begin(), first_.end(), micro_batch);
  const int64_t epoch = behind - first_.begin() - 1;
  return {epoch, micro_batch - first_[static_cast<size_t>(epoch)]};
}

int64_t BatchOrder::micro_batches(int64_t epochs) {
  know_epoch(epochs - 1);
  return first_[static_cast<size_t>(epochs)];
}

}  // namespace eyrie
