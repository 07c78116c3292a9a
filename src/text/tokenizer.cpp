#include "text/tokenizer.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/random.h"
#include "io/atomic_dir.h"
#include "io/json.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/unicode.h"

namespace eyrie {

struct Tokenizer::Parts {
  Parts(const Json& json, std::string text_hash);
  bool has(int32_t id) const { return bpe.vocabulary().has(id) || added.find(id); }

  std::string hash;
  Bpe bpe;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokens added;
  PostProcessor post_processor;
  Decoder decoder;
};

Tokenizer::Parts::Parts(const Json& json, std::string text_hash)
    : hash(std::move(text_hash)),
      bpe(json.at("model")),
      normalizer(read_normalizer(json.find("normalizer"))),
      pre_tokenizer(read_pre_tokenizer(json.find("pre_tokenizer"))),
      added(json.find("added_tokens"), bpe.vocabulary(), normalizer),
      post_processor(read_post_processor(json.find("post_processor"), [this](int32_t id) { return has(id); })),
      decoder(json.find("decoder")) {
  if (json.find("version") && json.text("version") != "1.0")
    throw Error(ErrorKind::file, "", fmt::format("version \"{}\": expected \"1.0\"", json.text("version")));
}

Tokenizer Tokenizer::from_text(std::string_view tokenizer_json, const std::string& place) {
  const Json json = Json::parse(tokenizer_json, place);
  try {
    return Tokenizer(std::make_shared<const Parts>(json, fmt::format("{:016x}", hash_name(tokenizer_json))));
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(place)) throw;
    throw Error(ErrorKind::file, place, error.what());
  }
}

Tokenizer Tokenizer::from_directory(const std::string& directory) {
  const std::string path = std::filesystem::path(directory) / "tokenizer.json";
  return from_text(read_file(path), path);
}

EncodedText Tokenizer::encode_with_offsets(std::string_view text, bool continues) const {
  check_utf8(text);
  EncodedText encoded;
  const auto add = [&](int32_t id, size_t begin) {
    encoded.ids.push_back(id);
    encoded.begin.push_back(begin);
  };
  std::vector<WordToken> tokens;
  const auto encode_plain = [&](AlignedText plain) {
    std::vector<AlignedText> words;
    words.push_back(std::move(plain));
    parts_->pre_tokenizer(words);
    for (const AlignedText& word : words) {
      tokens.clear();
      parts_->bpe.encode(word.text, tokens);
      for (const WordToken& token : tokens) add(token.id, word.origin[token.begin]);
    }
  };
  for (const TextCut& raw : parts_->added.cut(text, false)) {
    if (raw.id) {
      add(*raw.id, raw.begin);
      continue;
    }
    AlignedText plain = AlignedText::of_input(text.substr(raw.begin, raw.end - raw.begin), raw.begin);
    plain.continues = continues && raw.begin == 0;
    parts_->normalizer(plain);
    for (const TextCut& cut : parts_->added.cut(plain.text, true)) {
      if (cut.id)
        add(*cut.id, plain.origin[cut.begin]);
      else
        encode_plain(plain.slice(cut.begin, cut.end));
    }
  }
  return encoded;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  std::vector<int32_t> ids = encode_with_offsets(text).ids;
  if (add_special_tokens) parts_->post_processor(ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  StreamDecoder decoder(*this, skip_special_tokens);
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

int32_t Tokenizer::vocabulary_size() const {
  return std::max(parts_->bpe.vocabulary().end_id(), parts_->added.end_id());
}

std::optional<int32_t> Tokenizer::token_id(std::string_view token) const {
  const AddedToken* added = parts_->added.find(token);
  return added ? std::optional(added->id) : parts_->bpe.vocabulary().find(token);
}

std::string_view Tokenizer::token_text(int32_t id) const {
  const AddedToken* added = parts_->added.find(id);
  return added ? std::string_view(added->content) : parts_->bpe.vocabulary().text(id);
}

bool Tokenizer::is_added(int32_t id) const { return parts_->added.find(id); }

bool Tokenizer::is_cut_out(int32_t id) const {
  const AddedToken* added = parts_->added.find(id);
  return added && !(added->normalized || added->single_word || added->lstrip || added->rstrip);
}

std::string Tokenizer::hash() const { return parts_->hash; }

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
    : parts_(tokenizer.parts_), skip_special_(skip_special_tokens), decoder_(parts_->decoder) {}

std::string StreamDecoder::push(int32_t id) {
  if (const AddedToken* added = parts_->added.find(id))
    return skip_special_ && added->special ? "" : decoder_.push(added->pattern);
  return parts_->bpe.vocabulary().has(id) ? decoder_.push(parts_->bpe.vocabulary().text(id)) : "";
}

}  // namespace eyrie
