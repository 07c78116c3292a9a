// text/normalizer.h: what happens to text before it is cut into words.
// Types: NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace, Sequence.
#pragma once
#include <memory>
#include <vector>

#include "text/aligned_text.h"

namespace eyrie {

class Json;

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  void apply(AlignedText& text) const {
    const bool continues = text.continues;
    rewrite(text);
    text.continues = continues;
  }

 private:
  virtual void rewrite(AlignedText& text) const = 0;
};

// Null for null. Error{file} naming a type that is not in the list.
std::unique_ptr<const Normalizer> read_normalizer(const Json* json);

}  // namespace eyrie
