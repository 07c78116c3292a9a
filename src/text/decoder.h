// text/decoder.h: tokens to text, by a chain of steps. Each step takes chunks of text (at first: tokens) and gives
// chunks; the text is all of the last step's, end to end.
// Types: ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, Sequence.
//
// A step is a filter with memory, so whole texts and streams run through the same code and cannot differ.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace eyrie {

class Json;

using TextSink = std::function<void(std::string)>;

// One step at work on one text. Chunks go to `next`; finish() gives what was held back.
class DecoderFilter {
 public:
  virtual ~DecoderFilter() = default;
  virtual void push(std::string chunk, const TextSink& next) = 0;
  virtual void finish(const TextSink&) {}
};

class DecoderStep {
 public:
  virtual ~DecoderStep() = default;
  virtual std::unique_ptr<DecoderFilter> start() const = 0;
  // The same for one chunk that arrives in pieces; null when the step needs it whole.
  virtual std::unique_ptr<DecoderFilter> start_on_pieces() const { return nullptr; }
  // Whether everything behind this step is one chunk, which then arrives in pieces.
  virtual bool fuses() const { return false; }
};

class Decoder {
 public:
  // Null: tokens with a space between them. Error{file} naming a type that is not in the list.
  explicit Decoder(const Json* json);

  // One text being decoded. Refers to the decoder.
  class Run {
   public:
    explicit Run(const Decoder& decoder);
    std::string push(std::string token);
    std::string finish();

   private:
    void feed(size_t filter, std::string chunk, std::string& out);
    std::vector<std::unique_ptr<DecoderFilter>> filters_;
  };

 private:
  void add(const Json& json);
  std::vector<std::unique_ptr<const DecoderStep>> steps_;
};

}  // namespace eyrie
