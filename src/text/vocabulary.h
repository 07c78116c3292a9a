// text/vocabulary.h: tokens and their ids, both ways.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eyrie {

inline constexpr int64_t kMaxTokenId = (int64_t{1} << 22) - 1;  // the largest vocabularies have a quarter of a million

class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary(const Vocabulary&) = delete;  // `ids_` looks into `texts_`

  // Error{file} when the token or its id is there already, or the id out of range.
  void add(std::string token, int64_t id);

  std::optional<int32_t> find(std::string_view token) const;
  int32_t at(std::string_view token) const;  // Error{file} when it is missing
  std::string_view text(int32_t id) const;   // empty for an id without a token
  bool has(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < place_.size() && place_[static_cast<size_t>(id)] >= 0;
  }
  int32_t count() const { return static_cast<int32_t>(texts_.size()); }
  int32_t end_id() const { return static_cast<int32_t>(place_.size()); }  // highest id + 1

 private:
  std::deque<std::string> texts_;  // which stay where they are
  std::vector<int32_t> place_;     // [id] index into texts_, -1: none
  std::unordered_map<std::string_view, int32_t> ids_;
};

}  // namespace eyrie
