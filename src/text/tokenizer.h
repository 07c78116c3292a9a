// text/tokenizer.h: text to token ids and back, from a Hugging Face tokenizer.json.
//
//   encode:  added tokens cut out | normalizer | pre-tokenizer (words) | byte-pair merges per word | post-processor
//   decode:  ids -> tokens | decoder chain | UTF-8
//
// Supported: model BPE; the normalizers, pre-tokenizers, post-processors and decoders that pipeline.h lists. Any other
// type is Error{file} that names it and the list. Truncation and padding of the file are not applied. A Tokenizer is an
// immutable value, cheap to copy, safe to share between threads.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/pipeline.h"

namespace eyrie {

struct EncodedText {
  std::vector<int32_t> ids;
  std::vector<size_t>
      begin;  // [ids] byte of the input at which the token begins (a composed character: its first byte)
};

class Tokenizer {
 public:
  // Error{file}: unreadable, malformed, an unsupported type, ids or merges that contradict each other.
  static Tokenizer from_directory(const std::string& directory);  // its tokenizer.json
  static Tokenizer from_text(std::string_view tokenizer_json, const std::string& place);

  // Error{input} naming the byte offset when the text is not UTF-8 or a pattern runs into its match limit.
  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const;
  // Without the post-processor's tokens. `continues`: the text goes on behind another one, so nothing is put in front
  // of its first piece (Prepend, Metaspace, add_prefix_space): as the tokens that a model writes behind a prompt (spec
  // §11).
  EncodedText encode_with_offsets(std::string_view text, bool continues = false) const;

  // Ids that stand for no token (models pad their vocabulary) decode to nothing. Bytes that are not UTF-8 become
  // U+FFFD.
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  int32_t vocabulary_size() const;  // highest id + 1, added tokens included
  std::optional<int32_t> token_id(std::string_view token) const;
  std::string_view token_text(int32_t id) const;  // as the file spells it ("Ġthe"); empty for an id without a token
  bool is_added(int32_t id) const;                // cut out of the text before anything else
  bool is_cut_out(int32_t id) const;              // added, and nothing around it matters to where it is cut

  std::string hash() const;  // 16 hexadecimal digits over the bytes of tokenizer.json

 private:
  friend class StreamDecoder;
  struct Parts;
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

// decode() token by token: all pushes and finish() together give decode() of all ids. A push returns the bytes that no
// later token can change, whole UTF-8 characters only. Byte tokens (<0x0A>) are held until the run of them ends.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens);
  std::string push(int32_t id);
  std::string finish() { return decoder_.finish(); }

 private:
  std::shared_ptr<const Tokenizer::Parts> parts_;
  bool skip_special_;
  Decoder decoder_;
};

}  // namespace eyrie
