#include <fmt/core.h>

#include <algorithm>

#include "app/commands.h"
#include "app/interrupt.h"
#include "app/output.h"
#include "app/serving.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/log.h"
#include "data/conversations.h"
#include "data/features.h"
#include "io/atomic_dir.h"
#include "model/target.h"
#include "tensor/finite.h"
#include "train/batch_source.h"

namespace eyrie {
namespace {

// Writes batch `index` of the plan: the target's taps and last hidden states of its tokens.
void capture_batch(Exec& exec, HostArrays& arrays, const Target& target, const PackedBatch& batch,
                   const FeatureInfo& info, DType dtype, const std::string& path) {
  const int64_t tokens = batch.tokens(), hidden = target.config.decoder.hidden;
  const ScratchScope scope(exec.scratch);
  const Tensor taps = exec.scratch.take(DType::f32, {tokens, hidden * static_cast<int64_t>(info.tap_ids.size())});
  const Tensor last_hidden = exec.scratch.take(DType::f32, {tokens, hidden});
  forward_packed(exec, arrays, target, {batch.input_ids, batch.cu_seqlens}, info.tap_ids, taps, last_hidden);
  const Buffer stored_taps = Buffer::copy_of(taps, dtype), stored_hidden = Buffer::copy_of(last_hidden, dtype);
  for (const Buffer* states : {&stored_taps, &stored_hidden})
    if (const std::string problem = why_not_finite(*states); !problem.empty())
      throw Error(ErrorKind::input, path, "states of the target: " + problem);
  write_features(path, {batch, stored_taps, stored_hidden}, info);
}

}  // namespace

void run_capture(const CaptureOptions& options) {
  expect_not_an_input(options.output, {options.model, options.input});
  expect_replaceable(options.output, {"features-#.safetensors"});
  const std::atomic<bool>& stop = stop_requested();
  const Target target = load_target(options.model);
  expect_tap_ids(options.tap_ids, target.config.layers);
  ConversationReader reader = ConversationReader::of_model(options.model, options.chat);
  reader.vocabulary = target.config.vocabulary;
  reader.bad_lines = options.bad_lines;
  log_template(reader);
  reader.max_tokens = std::min(options.max_tokens, target.config.decoder.max_positions);
  const Conversations data = read_conversations(options.input, reader);
  if (data.sequences.empty())
    throw Error(ErrorKind::input, options.input,
                fmt::format("nothing is supervised, of {} ({} cut at {})", counted(data.unsupervised, "sequence"),
                            data.cut, counted(reader.max_tokens, "token")));
  FeatureInfo info = reader.info(target.fingerprint, options.tap_ids);
  if (info.tap_ids.empty()) info.tap_ids = default_tap_ids(target.config.layers);

  Exec exec;
  HostArrays arrays;
  AtomicDirectory output(options.output);
  const auto batches = group_batches(data.sequences, file_order(data.sequences), options.token_budget);
  for (size_t i = 0; i < batches.size(); ++i) {
    if (stop) throw Error(ErrorKind::interrupted, "capture", "interrupted: nothing is written");
    std::vector<const TokenSequence*> members;
    for (const int64_t index : batches[i]) members.push_back(&data.sequences[static_cast<size_t>(index)]);
    capture_batch(exec, arrays, target, pack(members), info, options.dtype,
                  output.path() + "/" + feature_file_name(static_cast<int64_t>(i)));
  }
  output.commit();
  log_info(fmt::format("{} ({} cut at {}), {}, {} supervised, {} in {}",
                       counted(std::ssize(data.sequences), "sequence"), data.cut, counted(reader.max_tokens, "token"),
                       counted(data.tokens, "token"), data.supervised_tokens, counted(std::ssize(batches), "file"),
                       options.output));
}

}  // namespace eyrie
