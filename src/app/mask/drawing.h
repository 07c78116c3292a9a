// app/mask/drawing.h: a picture as rectangles and lines of text, and its file. Pixels, y downwards.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace eyrie {

enum class Ink : uint8_t { page, absent, full, partial, line, text };

struct Drawing {
  struct Rectangle {
    int x, y, width, height;
    Ink ink;
  };
  struct Text {
    int x, y;  // the left end of its base line
    std::string text;
  };
  int width = 0, height = 0;
  std::vector<Rectangle> rectangles;  // later ones lie above
  std::vector<Text> texts;
};

// What a character of Drawing::Text takes at most.
inline constexpr int kCharacterWidth = 12, kTextHeight = 16;

std::string to_svg(const Drawing& drawing);

}  // namespace eyrie
