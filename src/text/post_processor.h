// text/post_processor.h: the special tokens around an encoded text (Llama's and Mistral's BOS).
// Types: TemplateProcessing (its "single" form), ByteLevel (changes no ids), Sequence.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace eyrie {

class Json;

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  virtual void apply(std::vector<int32_t>& ids) const = 0;
};

// Null for null. `is_token(id)` checks the ids that the template adds. Error{file} naming a type that is not in the
// list.
std::unique_ptr<const PostProcessor> read_post_processor(const Json* json,
                                                         const std::function<bool(int32_t)>& is_token);

}  // namespace eyrie
