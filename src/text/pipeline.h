// text/pipeline.h: what stands around the model in a tokenizer.json. Each part is a function, made of {"type": NAME,
// ...}; for null it does nothing. Error{file} names a type that is not in the part's list.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/aligned_text.h"

namespace eyrie {

class Json;

// What happens to text before it is cut into words.
// Types: NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace, Sequence.
using Normalizer = std::function<void(AlignedText&)>;
Normalizer read_normalizer(const Json* json);

// Replaces words, at first the whole text, by smaller ones, in order, none empty. They are then tokenized one by one.
// Types: ByteLevel, Split, Digits, Metaspace, WhitespaceSplit, Sequence.
using PreTokenizer = std::function<void(std::vector<AlignedText>&)>;
PreTokenizer read_pre_tokenizer(const Json* json);

// The special tokens around an encoded text (Llama's and Mistral's BOS). `is_token(id)` checks those of a template.
// Types: TemplateProcessing (its "single" form), ByteLevel (changes no ids), Sequence.
using PostProcessor = std::function<void(std::vector<int32_t>&)>;
PostProcessor read_post_processor(const Json* json, const std::function<bool(int32_t)>& is_token);

// One step from tokens to text: it takes chunks of text (at first: tokens), then nothing, which is the end, and gives
// chunks to `next`. It remembers what it must: a text begins with a copy of a step that has not been called.
using TextSink = std::function<void(std::string_view)>;
using DecoderStep = std::function<void(std::optional<std::string_view> chunk, const TextSink& next)>;

// The text is all that the last step gives, end to end. Whole texts and streams run through the same steps and cannot
// differ; a Decoder that has not been called is copied for each.
// Types: ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, Sequence; null: tokens with a space between them.
class Decoder {
 public:
  explicit Decoder(const Json* json);
  std::string push(std::string_view token);  // what no later token can change
  std::string finish();

 private:
  void add(const Json& json);
  void feed(size_t step, std::optional<std::string_view> chunk, std::string& out);
  std::vector<DecoderStep> steps_;
  bool in_pieces_ = false;  // what the last step gives is one chunk, piece by piece
};

}  // namespace eyrie
