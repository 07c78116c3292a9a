#include "text/byte_level.h"
#include "text/part_types.h"
#include "text/pipeline.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

using Chunk = std::optional<std::string_view>;

// Holds the beginning of a character until the rest of it is there.
DecoderStep byte_level(const Json&) {
  return [held = std::string()](Chunk token, const TextSink& next) mutable {
    if (token) held += bytes_of_token(*token);
    const size_t whole = token ? held.size() - incomplete_suffix(held) : held.size();
    next(replace_invalid_utf8(std::string_view(held).substr(0, whole)));
    held.erase(0, whole);
  };
}

// The byte that <0x0A> spells; -1: it spells none.
int spelled_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  if (!std::isxdigit(static_cast<uint8_t>(token[3])) || !std::isxdigit(static_cast<uint8_t>(token[4]))) return -1;
  return std::stoi(std::string(token.substr(3, 2)), nullptr, 16);
}

// Holds a run of bytes to its end. One that is not UTF-8 as a whole becomes one U+FFFD per byte.
DecoderStep byte_fallback(const Json&) {
  return [run = std::string()](Chunk token, const TextSink& next) mutable {
    if (const int byte = token ? spelled_byte(*token) : -1; byte >= 0) return void(run += static_cast<char>(byte));
    const bool is_text = first_invalid_byte(run) == kAllValid;
    if (is_text && !run.empty()) next(run);
    for (size_t i = 0; !is_text && i < run.size(); ++i) next(kReplacementCharacter);
    run.clear();
    if (token) next(*token);
  };
}

std::string replaced(std::string_view text, const Pattern& pattern, std::string_view content) {
  std::string out;
  size_t copied = 0;
  pattern.for_each_match(text, [&](size_t begin, size_t end) {
    out.append(text, copied, begin - copied).append(content);
    copied = end;
  });
  return out.append(text, copied);
}

DecoderStep replace(const Json& json) {
  const Pattern pattern = Pattern::from_json(json.at("pattern"));
  return [pattern, content = json.text("content")](Chunk chunk, const TextSink& next) {
    if (chunk) next(replaced(*chunk, pattern, content));
  };
}

// Marks become spaces; in the first token nothing, unless the scheme is never to put one there.
DecoderStep metaspace(const Json& json) {
  const bool drops_first = !(json.find("prepend_scheme") && json.text("prepend_scheme") == "never") &&
                           !(json.find("add_prefix_space") && !json.boolean("add_prefix_space"));
  if (json.text("replacement").empty()) throw Error(ErrorKind::file, "", "an empty replacement");
  const Pattern mark = Pattern::literal(json.text("replacement"));
  return [mark, space = drops_first ? "" : " "](Chunk token, const TextSink& next) mutable {
    if (token) next(replaced(*token, mark, std::exchange(space, " ")));
  };
}

DecoderStep fuse(const Json&) {
  return [](Chunk chunk, const TextSink& next) {
    if (chunk) next(*chunk);
  };
}

// So many times `content` from the front and the back of each chunk; `in_pieces`: from the front of all of them.
DecoderStep strip(const Json& json, bool in_pieces) {
  const std::string& content = json.text("content");
  const int64_t start = json.integer("start", 0), stop = json.integer("stop", 0);
  if (content.empty()) throw Error(ErrorKind::file, "", "an empty strip content");
  return [=, left = start](Chunk chunk, const TextSink& next) mutable {
    if (!chunk) return;
    if (!in_pieces) left = start;
    for (; left > 0 && chunk->starts_with(content); --left) chunk->remove_prefix(content.size());
    for (int64_t i = 0; i < stop && chunk->ends_with(content); ++i) chunk->remove_suffix(content.size());
    if (!chunk->empty()) left = 0;
    next(*chunk);
  };
}

DecoderStep spaces_between() {
  return [space = ""](Chunk token, const TextSink& next) mutable {
    if (token) next(std::exchange(space, " ") + std::string(*token));
  };
}

// One chunk of all pieces.
DecoderStep gather() {
  return [whole = std::string()](Chunk piece, const TextSink& next) mutable {
    if (piece)
      whole += *piece;
    else
      next(whole);
  };
}

constexpr PartType<DecoderStep> kTypes[] = {
    {"ByteLevel", byte_level},
    {"Replace", replace},
    {"ByteFallback", byte_fallback},
    {"Fuse", fuse},
    {"Strip", [](const Json& json) { return strip(json, false); }},
    {"Metaspace", metaspace},
};

}  // namespace

Decoder::Decoder(const Json* json) {
  if (json)
    add(*json);
  else
    steps_.push_back(spaces_between());
}

// Behind ByteLevel and Fuse all text is one chunk. Fuse leaves it so and Strip can take its front on the way; the other
// steps need it whole.
void Decoder::add(const Json& json) {
  const std::string& type = json.text("type");
  if (type == "Sequence") {
    for (const Json& part : json.array("decoders")) add(part);
  } else if (in_pieces_ && type == "Strip" && json.integer("stop", 0) == 0) {
    steps_.push_back(strip(json, true));
  } else {
    if (in_pieces_ && type != "Fuse") steps_.push_back(gather());
    steps_.push_back(read_part("decoder", kTypes, json));
    in_pieces_ = type == "ByteLevel" || type == "Fuse";
  }
}

void Decoder::feed(size_t step, std::optional<std::string_view> chunk, std::string& out) {
  if (step == steps_.size()) return void(out += *chunk);
  steps_[step](chunk, [&](std::string_view next) { feed(step + 1, next, out); });
}

std::string Decoder::push(std::string_view token) {
  std::string out;
  feed(0, token, out);
  return out;
}

std::string Decoder::finish() {
  std::string out;
  for (size_t step = 0; step < steps_.size(); ++step) feed(step, std::nullopt, out);
  return out;
}

}  // namespace eyrie
