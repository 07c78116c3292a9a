#include "text/part_types.h"
#include "text/pipeline.h"
#include "text/vocabulary.h"

namespace eyrie {
namespace {

using IsToken = std::function<bool(int32_t)>;

std::vector<int32_t> read_ids(const Json& token, const std::string& name, const IsToken& is_token) {
  std::vector<int32_t> ids;
  for (const Json& id : token.array("ids")) {
    ids.push_back(static_cast<int32_t>(id.as_integer(0, kMaxTokenId)));
    if (!is_token(ids.back()))
      throw Error(ErrorKind::file, "",
                  fmt::format("template token \"{}\": id {} is not in the vocabulary", name, ids.back()));
  }
  if (ids.empty()) throw Error(ErrorKind::file, "", fmt::format("template token \"{}\" has no ids", name));
  return ids;
}

PostProcessor template_processing(const Json& json, const IsToken& is_token) {
  std::vector<std::vector<int32_t>> pieces;  // a special token's ids; empty: the text's own
  for (const Json& piece : json.array("single")) {
    if (const Json* sequence = piece.find("Sequence")) {
      if (sequence->text("id") != "A")
        throw Error(ErrorKind::file, "", "template \"single\": expected sequence A alone");
      pieces.emplace_back();
    } else {
      const std::string& name = piece.at("SpecialToken").text("id");
      pieces.push_back(read_ids(json.at("special_tokens").at(name), name, is_token));
    }
  }
  return [pieces = std::move(pieces)](std::vector<int32_t>& ids) {
    std::vector<int32_t> out;
    for (const auto& piece : pieces) {
      const auto& added = piece.empty() ? ids : piece;
      out.insert(out.end(), added.begin(), added.end());
    }
    ids = std::move(out);
  };
}

}  // namespace

PostProcessor read_post_processor(const Json* json, const IsToken& is_token) {
  const std::string type = json ? json->text("type") : "ByteLevel";
  if (type == "ByteLevel") return [](std::vector<int32_t>&) {};  // the library trims offsets here, never ids
  if (type == "TemplateProcessing") return template_processing(*json, is_token);
  if (type == "Sequence")
    return in_sequence<PostProcessor>(json->array("processors"),
                                      [&](const Json* part) { return read_post_processor(part, is_token); });
  refuse_type("post-processor", type, "TemplateProcessing, ByteLevel, Sequence");
}

}  // namespace eyrie
