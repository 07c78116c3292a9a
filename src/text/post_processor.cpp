#include "text/post_processor.h"

#include "text/part_types.h"
#include "text/vocabulary.h"

namespace eyrie {
namespace {

class ByteLevel : public PostProcessor {
 public:
  void apply(std::vector<int32_t>&) const override {}  // the library trims offsets here, never ids
};

class TemplateProcessing : public PostProcessor {
 public:
  explicit TemplateProcessing(const Json& json, const std::function<bool(int32_t)>& is_token) {
    for (const Json& piece : json.array("single")) {
      if (const Json* sequence = piece.find("Sequence")) {
        if (sequence->text("id") != "A")
          throw Error(ErrorKind::file, "", "template \"single\": expected sequence A alone");
        pieces_.emplace_back();
      } else {
        const std::string& name = piece.at("SpecialToken").text("id");
        pieces_.push_back(read_ids(json.at("special_tokens").at(name), name, is_token));
      }
    }
  }
  void apply(std::vector<int32_t>& ids) const override {
    std::vector<int32_t> out;
    for (const auto& piece : pieces_) {
      const auto& added = piece.empty() ? ids : piece;
      out.insert(out.end(), added.begin(), added.end());
    }
    ids = std::move(out);
  }

 private:
  static std::vector<int32_t> read_ids(const Json& token, const std::string& name,
                                       const std::function<bool(int32_t)>& is_token) {
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

  std::vector<std::vector<int32_t>> pieces_;  // a special token's ids; empty: the text's own
};

class Sequence : public PostProcessor {
 public:
  explicit Sequence(std::vector<std::unique_ptr<const PostProcessor>> parts) : parts_(std::move(parts)) {}
  void apply(std::vector<int32_t>& ids) const override {
    for (const auto& part : parts_) part->apply(ids);
  }

 private:
  std::vector<std::unique_ptr<const PostProcessor>> parts_;
};

}  // namespace

std::unique_ptr<const PostProcessor> read_post_processor(const Json* json,
                                                         const std::function<bool(int32_t)>& is_token) {
  if (!json) return nullptr;
  const std::string& type = json->text("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevel>();
  if (type == "TemplateProcessing") return std::make_unique<TemplateProcessing>(*json, is_token);
  if (type == "Sequence") {
    std::vector<std::unique_ptr<const PostProcessor>> parts;
    for (const Json& part : json->array("processors")) parts.push_back(read_post_processor(&part, is_token));
    return std::make_unique<Sequence>(std::move(parts));
  }
  refuse_type("post-processor", type, "TemplateProcessing, ByteLevel, Sequence");
}

}  // namespace eyrie
