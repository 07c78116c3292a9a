#include "text/bpe.h"

#include <fmt/core.h>

#include <algorithm>
#include <queue>

#include "base/error.h"
#include "io/json.h"
#include "text/part_types.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

constexpr size_t kNone = SIZE_MAX;

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

bool flag(const Json& json, std::string_view key) { return json.find(key) && json.boolean(key); }

Vocabulary read_vocabulary(const Json& json) {
  Vocabulary vocabulary;
  for (const auto& [token, id] : json.at("vocab").as_members()) vocabulary.add(token, id.as_integer());
  return vocabulary;
}

void refuse_options(const Json& json) {
  if (json.find("type") && json.text("type") != "BPE") refuse_type("model", json.text("type"), "BPE");
  if (json.find("dropout") && json.number("dropout") != 0)
    throw Error(ErrorKind::file, "", fmt::format("dropout {}: expected none", json.number("dropout")));
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (json.find(key) && !json.text(key).empty())
      throw Error(ErrorKind::file, "", fmt::format("{} \"{}\" is not supported", key, json.text(key)));
}

}  // namespace

// A piece of the word; a merge puts two together and leaves the right one without a token.
struct Bpe::Symbol {
  int32_t id;  // -1: merged away
  size_t begin;
  size_t previous, next;  // kNone at the ends
};

Bpe::Bpe(const Json& json) : vocabulary_((refuse_options(json), read_vocabulary(json))) {
  fuse_unknown_ = flag(json, "fuse_unk");
  ignore_merges_ = flag(json, "ignore_merges");
  if (json.find("unk_token")) unknown_ = vocabulary_.at(json.text("unk_token"));
  if (flag(json, "byte_fallback")) read_bytes();
  read_merges(json);
}

void Bpe::read_bytes() {
  for (int byte = 0; byte < 256; ++byte)
    byte_token_.push_back(vocabulary_.find(fmt::format("<0x{:02X}>", byte)).value_or(-1));
}

void Bpe::read_merges(const Json& json) {
  const auto& merges = json.array("merges");
  merges_.reserve(merges.size());
  int32_t rank = 0;
  for (const Json& merge : merges) {
    if (merge.is_array()) {
      if (merge.as_array().size() != 2)
        throw Error(ErrorKind::file, "", fmt::format("merge {}: expected two tokens", rank));
      add_merge(merge.as_array()[0].as_text(), merge.as_array()[1].as_text(), rank++);
      continue;
    }
    const std::string& text = merge.as_text();
    if (text.starts_with("#version")) continue;
    const size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos)
      throw Error(ErrorKind::file, "",
                  fmt::format("merge {} \"{}\": expected two tokens and a space between them", rank, text));
    add_merge(std::string_view(text).substr(0, space), std::string_view(text).substr(space + 1), rank++);
  }
}

void Bpe::add_merge(std::string_view left, std::string_view right, int32_t rank) {
  const uint64_t pair = pair_key(vocabulary_.at(left), vocabulary_.at(right));
  merges_[pair] = {rank, vocabulary_.at(std::string(left) + std::string(right))};
}

const Bpe::Merge* Bpe::find_merge(int32_t left, int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

// The tokens that merging starts from. A character without a token becomes its bytes' tokens when all of them exist,
// else the unknown token (one for a run of them with fuse_unk), else nothing. A pending unknown token goes in before
// the next known character, but behind byte tokens that came in between: the library's order.
std::vector<Bpe::Symbol> Bpe::characters(std::string_view word) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  const auto add = [&](int32_t id, size_t begin) {
    symbols.push_back({id, symbols.empty() ? begin : std::max(begin, symbols.back().begin), kNone, kNone});
  };
  size_t unknown_begin = kNone;
  const auto add_unknown = [&] {
    if (unknown_begin != kNone) add(*unknown_, unknown_begin);
    unknown_begin = kNone;
  };
  for (size_t begin = 0, end = 0; begin < word.size(); begin = end) {
    end = begin + code_point_at(word, begin).bytes;
    const std::string_view character = word.substr(begin, end - begin);
    const auto has_byte_token = [&](char c) { return byte_token_[static_cast<uint8_t>(c)] >= 0; };
    if (const auto id = vocabulary_.find(character)) {
      add_unknown();
      add(*id, begin);
    } else if (!byte_token_.empty() && std::all_of(character.begin(), character.end(), has_byte_token)) {
      for (size_t i = begin; i < end; ++i) add(byte_token_[static_cast<uint8_t>(word[i])], i);
    } else if (unknown_) {
      if (!fuse_unknown_) add_unknown();
      if (unknown_begin == kNone) unknown_begin = begin;
    }
  }
  add_unknown();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    symbols[i].next = i + 1;
    symbols[i + 1].previous = i;
  }
  return symbols;
}

void Bpe::merge(std::vector<Symbol>& symbols) const {
  struct Candidate {
    int32_t rank;
    int32_t id;
    size_t left;
    bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto add_pair = [&](size_t left, size_t right) {
    if (left == kNone || right == kNone) return;
    if (const Merge* found = find_merge(symbols[left].id, symbols[right].id))
      candidates.push({found->rank, found->id, left});
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) add_pair(i, i + 1);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.left];
    if (left.id < 0 || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    const Merge* current = find_merge(left.id, right.id);
    if (!current || current->id != best.id) continue;  // one of the two has been merged since
    left.id = best.id;
    right.id = -1;
    left.next = right.next;
    if (left.next != kNone) symbols[left.next].previous = best.left;
    add_pair(left.previous, best.left);
    add_pair(best.left, left.next);
  }
}

void Bpe::encode(std::string_view word, std::vector<WordToken>& tokens) const {
  if (ignore_merges_) {
    if (const auto whole = vocabulary_.find(word)) return tokens.push_back({*whole, 0});
  }
  std::vector<Symbol> symbols = characters(word);
  merge(symbols);
  for (const Symbol& symbol : symbols)
    if (symbol.id >= 0) tokens.push_back({symbol.id, symbol.begin});
}

}  // namespace eyrie
