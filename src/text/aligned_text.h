// text/aligned_text.h: text that has been rewritten, with the place in the input that each of its bytes came from.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

struct AlignedText {
  std::string text;
  std::vector<size_t> origin;  // [text bytes] ascending: byte of the input
  bool continues = false;      // goes on behind other text: no prefix belongs in front of it

  static AlignedText of_input(std::string_view input, size_t begin) {
    AlignedText aligned{std::string(input), std::vector<size_t>(input.size())};
    for (size_t i = 0; i < input.size(); ++i) aligned.origin[i] = begin + i;
    return aligned;
  }
  bool empty() const { return text.empty(); }
  // Adds bytes that all come from `from`.
  void append(std::string_view bytes, size_t from) {
    text += bytes;
    origin.resize(text.size(), from);
  }
  void append(const AlignedText& other, size_t begin, size_t end) {
    text.append(other.text, begin, end - begin);
    origin.insert(origin.end(), other.origin.begin() + static_cast<std::ptrdiff_t>(begin),
                  other.origin.begin() + static_cast<std::ptrdiff_t>(end));
  }
  AlignedText slice(size_t begin, size_t end) const {
    AlignedText part;
    part.continues = continues && begin == 0;
    part.append(*this, begin, end);
    return part;
  }
  // What it has become; whether it continues stays as it was.
  void rewrite(AlignedText other) {
    text = std::move(other.text);
    origin = std::move(other.origin);
  }
  // New bytes in front, at the place of the first byte, unless the text continues. It must not be empty.
  void prepend(std::string_view bytes) {
    if (continues) return;
    text.insert(0, bytes);
    origin.insert(origin.begin(), bytes.size(), origin.front());
  }
};

}  // namespace eyrie
