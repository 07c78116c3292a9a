// text/bpe.h: byte-pair encoding of one word. Starting from its characters, the pair of neighbours with the lowest rank
// (leftmost first) is merged until no pair has one. With a heap: n log n in the length of the word.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/vocabulary.h"

namespace eyrie {

class Json;

struct WordToken {
  int32_t id;
  size_t begin;  // byte of the word
};

class Bpe {
 public:
  // The "model" of tokenizer.json. Error{file}: another type, dropout, sub-word prefixes or suffixes, ids or merges
  // that contradict the vocabulary.
  explicit Bpe(const Json& json);

  void encode(std::string_view word, std::vector<WordToken>& tokens) const;  // appends
  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    int32_t rank;
    int32_t id;  // of the merged token
  };
  struct PairHash {
    size_t operator()(uint64_t pair) const { return pair * 0x9E3779B97F4A7C15u ^ pair >> 29; }
  };
  struct Symbol;
  void read_merges(const Json& json);
  void add_merge(std::string_view left, std::string_view right, int32_t rank);
  void read_bytes();
  const Merge* find_merge(int32_t left, int32_t right) const;
  std::vector<Symbol> characters(std::string_view word) const;
  void merge(std::vector<Symbol>& symbols) const;

  Vocabulary vocabulary_;
  std::unordered_map<uint64_t, Merge, PairHash> merges_;
  std::optional<int32_t> unknown_;
  std::vector<int32_t> byte_token_;  // [256] <0x00> .. <0xFF>, -1: none; empty without byte_fallback
  bool fuse_unknown_ = false, ignore_merges_ = false;
};

}  // namespace eyrie
