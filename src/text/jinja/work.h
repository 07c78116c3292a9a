// text/jinja/work.h: what one rendering may cost. Every evaluated expression and statement is a step, so are so many
// bytes written or items copied: time and memory are bounded by the same count.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace eyrie::jinja {

inline constexpr size_t kMostSteps = 1'000'000;
inline constexpr size_t kMostBytes = size_t{8} << 20;  // of the output and of any text
inline constexpr size_t kMostItems = 100'000;          // of a range, as in jinja's sandbox, and of any sequence
inline constexpr int kMostDepth = 64;                  // of nested syntax, and of macro calls
inline constexpr int kMostNesting = 500;               // of both together, when rendering

// Error{input}; the interpreter adds place and line.
[[noreturn]] void fail(const std::string& message);

class Work {
 public:
  void spend(size_t steps = 1) {
    if ((steps_ += steps) > kMostSteps) fail("the template takes more than " + std::to_string(kMostSteps) + " steps");
  }
  // Before so many bytes are made, in all or as one text.
  void spend_bytes(size_t bytes) {
    if (bytes > kMostBytes) fail("a text of more than " + std::to_string(kMostBytes) + " bytes");
    spend(bytes / 256);
  }
  void spend_items(size_t items) {
    if (items > kMostItems) fail("a sequence of more than " + std::to_string(kMostItems) + " items");
    spend(items / 16);
  }

 private:
  size_t steps_ = 0;
};

// A text that grows, within the bounds.
class TextBuilder {
 public:
  explicit TextBuilder(Work& work) : work_(work) {}
  TextBuilder& operator<<(std::string_view piece) {
    if (text_.size() + piece.size() > kMostBytes) work_.spend_bytes(text_.size() + piece.size());
    charged_ += piece.size();
    work_.spend(charged_ / 256);
    charged_ %= 256;
    text_ += piece;
    return *this;
  }
  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  Work& work_;
  std::string text_;
  size_t charged_ = 0;
};

}  // namespace eyrie::jinja
