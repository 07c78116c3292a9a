#include "text/vocabulary.h"

#include <fmt/core.h>

#include "base/error.h"

namespace eyrie {
namespace {

Error bad_token(std::string_view token, const std::string& message) {
  return {ErrorKind::file, "", fmt::format("token \"{}\": {}", token, message)};
}

}  // namespace

void Vocabulary::add(std::string token, int64_t id) {
  if (id < 0 || id > kMaxTokenId) throw bad_token(token, fmt::format("id {}: expected 0 to {}", id, kMaxTokenId));
  const auto slot = static_cast<size_t>(id);
  if (slot >= place_.size()) place_.resize(slot + 1, -1);
  if (place_[slot] >= 0)
    throw bad_token(token, fmt::format("id {} is already that of \"{}\"", id, text(static_cast<int32_t>(id))));
  if (ids_.contains(token)) throw bad_token(token, "stands twice");
  texts_.push_back(std::move(token));
  ids_.emplace(texts_.back(), static_cast<int32_t>(id));
  place_[slot] = count() - 1;
}

std::optional<int32_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

int32_t Vocabulary::at(std::string_view token) const {
  const auto id = find(token);
  if (!id) throw bad_token(token, "is not in the vocabulary");
  return *id;
}

std::string_view Vocabulary::text(int32_t id) const {
  return has(id) ? std::string_view(texts_[static_cast<size_t>(place_[static_cast<size_t>(id)])]) : std::string_view();
}

}  // namespace eyrie
