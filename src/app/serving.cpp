#include "app/serving.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/log.h"
#include "model/fit.h"
#include "train/checkpoint.h"

namespace eyrie {
namespace {

Draft load_served_draft(const std::string& directory, const Target& target, const std::vector<int64_t>& tap_ids) {
  expect_no_run(directory);
  DraftConfig config = read_draft_config(directory);
  expect_tap_ids(tap_ids, target.config.layers);
  if (!tap_ids.empty()) override_tap_ids(config, tap_ids);
  const Fit found = fit(config, target.config);
  if (!found.mismatches.empty())
    throw Error(ErrorKind::input, directory,
                fmt::format("does not fit the target: {}", fmt::join(found.mismatches, "; ")));
  resolve_tap_ids(config, target.config);
  Draft draft = load_draft(directory, heads_of(target));
  config.decoder = draft.config.decoder;  // its weights say what its config.json leaves open
  draft.config = std::move(config);
  log_info(fmt::format("draft: taps leave target layers {} ({})", fmt::join(draft.config.tap_ids, ", "),
                       draft.config.tap_rule));
  return draft;
}

}  // namespace

ServedModels load_served_models(const std::string& model_directory, const std::string& draft_directory,
                                const ChatOptions& chat, const std::vector<int64_t>& tap_ids) {
  ServedModels models{load_target(model_directory), std::nullopt, ConversationReader::of_model(model_directory, chat)};
  models.reader.vocabulary = models.target.config.vocabulary;
  models.target.config.stop_ids = models.reader.stop_ids;
  if (!draft_directory.empty()) models.draft = load_served_draft(draft_directory, models.target, tap_ids);
  return models;
}

void log_template(const ConversationReader& reader) {
  if (reader.chat) log_info(fmt::format("chat template: {}", reader.chat->chat_template().source()));
}

TextStream text_stream(const Tokenizer& tokenizer, std::function<void(std::string_view)> write) {
  const auto decoder = std::make_shared<StreamDecoder>(tokenizer, true);
  return {[decoder](int32_t id) { return decoder->push(id); }, [decoder] { return decoder->finish(); },
          std::move(write)};
}

}  // namespace eyrie
