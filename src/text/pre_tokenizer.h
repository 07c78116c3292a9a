// text/pre_tokenizer.h: text cut into words, which are then tokenized one by one.
// Types: ByteLevel, Split, Digits, Metaspace, WhitespaceSplit, Sequence.
#pragma once
#include <memory>
#include <vector>

#include "text/aligned_text.h"

namespace eyrie {

class Json;

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Replaces the words by smaller ones, in order, none empty.
  virtual void apply(std::vector<AlignedText>& words) const = 0;
};

// Null for null. Error{file} naming a type that is not in the list.
std::unique_ptr<const PreTokenizer> read_pre_tokenizer(const Json* json);

}  // namespace eyrie
