#include "text/decoder.h"

#include <optional>

#include "text/byte_level.h"
#include "text/part_types.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace eyrie {
namespace {

// Drops the first `count` characters of `text` as long as they are `content`; says how many were dropped.
size_t strip_front(std::string& text, const std::string& content, size_t count) {
  size_t dropped = 0;
  while (dropped < count && text.compare(dropped * content.size(), content.size(), content) == 0) ++dropped;
  text.erase(0, dropped * content.size());
  return dropped;
}

void strip_back(std::string& text, const std::string& content, size_t count) {
  for (; count > 0 && text.ends_with(content); --count) text.erase(text.size() - content.size());
}

class ByteLevel : public DecoderStep {
 public:
  std::unique_ptr<DecoderFilter> start() const override { return std::make_unique<Filter>(); }
  bool fuses() const override { return true; }

 private:
  class Filter : public DecoderFilter {
   public:
    void push(std::string token, const TextSink& next) override {
      held_ += bytes_of_token(token).value_or(token);
      const size_t whole = held_.size() - incomplete_suffix(held_);
      next(replace_invalid_utf8(std::string_view(held_).substr(0, whole)));
      held_.erase(0, whole);
    }
    void finish(const TextSink& next) override { next(replace_invalid_utf8(held_)); }

   private:
    std::string held_;  // the beginning of a character
  };
};

class ByteFallback : public DecoderStep {
 public:
  std::unique_ptr<DecoderFilter> start() const override { return std::make_unique<Filter>(); }

 private:
  class Filter : public DecoderFilter {
   public:
    void push(std::string token, const TextSink& next) override {
      if (const auto byte = byte_of(token)) return void(run_ += *byte);
      finish(next);
      next(std::move(token));
    }
    // A run that is not UTF-8 as a whole becomes one U+FFFD per byte.
    void finish(const TextSink& next) override {
      if (run_.empty()) return;
      if (first_invalid_byte(run_) == kAllValid)
        next(run_);
      else
        for (size_t i = 0; i < run_.size(); ++i) next(std::string(kReplacementCharacter));
      run_.clear();
    }

   private:
    static std::optional<char> byte_of(std::string_view token) {
      if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
      const auto digit = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                      : -1;
      };
      const int high = digit(token[3]), low = digit(token[4]);
      return high < 0 || low < 0 ? std::nullopt : std::optional(static_cast<char>(high * 16 + low));
    }
    std::string run_;
  };
};

class Replace : public DecoderStep {
 public:
  explicit Replace(const Json& json)
      : pattern_(Pattern::from_json(json.at("pattern"))), content_(json.text("content")) {}
  std::unique_ptr<DecoderFilter> start() const override { return std::make_unique<Filter>(*this); }

 private:
  class Filter : public DecoderFilter {
   public:
    explicit Filter(const Replace& step) : step_(step) {}
    void push(std::string chunk, const TextSink& next) override {
      std::string out;
      size_t copied = 0;
      step_.pattern_.for_each_match(chunk, [&](size_t begin, size_t end) {
        out.append(chunk, copied, begin - copied).append(step_.content_);
        copied = end;
      });
      next(out.append(chunk, copied));
    }

   private:
    const Replace& step_;
  };
  Pattern pattern_;
  std::string content_;
};

class Metaspace : public DecoderStep {
 public:
  explicit Metaspace(const Json& json)
      : replacement_(json.text("replacement")),
        drops_first_(!(json.find("prepend_scheme") && json.text("prepend_scheme") == "never") &&
                     !(json.find("add_prefix_space") && !json.boolean("add_prefix_space"))) {
    if (replacement_.empty()) throw Error(ErrorKind::file, "", "an empty replacement");
  }
  std::unique_ptr<DecoderFilter> start() const override { return std::make_unique<Filter>(*this); }

 private:
  class Filter : public DecoderFilter {
   public:
    explicit Filter(const Metaspace& step) : step_(step), space_(step.drops_first_ ? "" : " ") {}
    void push(std::string token, const TextSink& next) override {
      std::string out;
      size_t copied = 0;
      const std::string& mark = step_.replacement_;
      for (size_t at = token.find(mark); at != token.npos; at = token.find(mark, copied)) {
        out.append(token, copied, at - copied).append(space_);
        copied = at + mark.size();
      }
      space_ = " ";
      next(out.append(token, copied));
    }

   private:
    const Metaspace& step_;
    const char* space_;  // what a mark becomes: nothing in the first token
  };
  std::string replacement_;
  bool drops_first_;
};

class Fuse : public DecoderStep {
 public:
  std::unique_ptr<DecoderFilter> start() const override { return std::make_unique<Filter>(); }
  std::unique_ptr<DecoderFilter> start_on_pieces() const override { return start(); }
  bool fuses() const override { return true; }

 private:
  class Filter : public DecoderFilter {
   public:
    void push(std::string chunk, const TextSink& next) override { next(std::move(chunk)); }
  };
};

class Strip : public DecoderStep {
 public:
  explicit Strip(const Json& json)
      : content_(json.text("content")),
        start_(static_cast<size_t>(json.integer("start", 0))),
        stop_(static_cast<size_t>(json.integer("stop", 0))) {
    if (content_.empty()) throw Error(ErrorKind::file, "", "an empty strip content");
  }
  std::unique_ptr<DecoderFilter> start() const override { return std::make_unique<Filter>(*this); }
  std::unique_ptr<DecoderFilter> start_on_pieces() const override {
    return stop_ == 0 ? std::make_unique<PiecesFilter>(*this) : nullptr;
  }

 private:
  class Filter : public DecoderFilter {
   public:
    explicit Filter(const Strip& step) : step_(step) {}
    void push(std::string chunk, const TextSink& next) override {
      strip_front(chunk, step_.content_, step_.start_);
      strip_back(chunk, step_.content_, step_.stop_);
      next(std::move(chunk));
    }

   private:
    const Strip& step_;
  };
  // The front of one chunk that arrives in pieces.
  class PiecesFilter : public DecoderFilter {
   public:
    explicit PiecesFilter(const Strip& step) : step_(step), left_(step.start_) {}
    void push(std::string piece, const TextSink& next) override {
      left_ -= strip_front(piece, step_.content_, left_);
      if (piece.empty()) return;
      left_ = 0;
      next(std::move(piece));
    }

   private:
    const Strip& step_;
    size_t left_;
  };
  std::string content_;
  size_t start_, stop_;
};

class Spaces : public DecoderStep {
 public:
  std::unique_ptr<DecoderFilter> start() const override { return std::make_unique<Filter>(); }

 private:
  class Filter : public DecoderFilter {
   public:
    void push(std::string token, const TextSink& next) override {
      next(first_ ? std::move(token) : " " + token);
      first_ = false;
    }

   private:
    bool first_ = true;
  };
};

// Holds the pieces of a chunk until it is whole; for steps that cannot work on pieces.
class Gather : public DecoderFilter {
 public:
  void push(std::string piece, const TextSink&) override { whole_ += piece; }
  void finish(const TextSink& next) override { next(std::move(whole_)); }

 private:
  std::string whole_;
};

constexpr PartType<DecoderStep> kTypes[] = {
    {"ByteLevel", make_plain_part<DecoderStep, ByteLevel>},
    {"Replace", make_part<DecoderStep, Replace>},
    {"ByteFallback", make_plain_part<DecoderStep, ByteFallback>},
    {"Fuse", make_plain_part<DecoderStep, Fuse>},
    {"Strip", make_part<DecoderStep, Strip>},
    {"Metaspace", make_part<DecoderStep, Metaspace>},
};

}  // namespace

Decoder::Decoder(const Json* json) {
  if (json)
    add(*json);
  else
    steps_.push_back(std::make_unique<Spaces>());
}

void Decoder::add(const Json& json) {
  if (json.text("type") != "Sequence") return steps_.push_back(read_part<DecoderStep>("decoder", kTypes, json));
  for (const Json& part : json.array("decoders")) add(part);
}

Decoder::Run::Run(const Decoder& decoder) {
  bool in_pieces = false;
  for (const auto& step : decoder.steps_) {
    auto on_pieces = in_pieces ? step->start_on_pieces() : nullptr;
    if (on_pieces) {
      filters_.push_back(std::move(on_pieces));
      continue;
    }
    if (in_pieces) filters_.push_back(std::make_unique<Gather>());
    filters_.push_back(step->start());
    in_pieces = step->fuses();
  }
}

void Decoder::Run::feed(size_t filter, std::string chunk, std::string& out) {
  if (filter == filters_.size()) return void(out += chunk);
  filters_[filter]->push(std::move(chunk), [&](std::string next) { feed(filter + 1, std::move(next), out); });
}

std::string Decoder::Run::push(std::string token) {
  std::string out;
  feed(0, std::move(token), out);
  return out;
}

std::string Decoder::Run::finish() {
  std::string out;
  for (size_t i = 0; i < filters_.size(); ++i)
    filters_[i]->finish([&](std::string next) { feed(i + 1, std::move(next), out); });
  return out;
}

}  // namespace eyrie
