#include <fmt/core.h>
#include <png.h>

#include <algorithm>

#include "app/mask/drawing.h"
#include "app/mask/glyphs.h"
#include "base/error.h"

namespace eyrie {
namespace {

constexpr png_byte kColors[][3] = {{251, 251, 249}, {233, 237, 241}, {11, 79, 138},
                                   {232, 150, 46},  {251, 251, 249}, {27, 36, 48}};

class Raster {
 public:
  Raster(int width, int height)
      : width_(width), height_(height), pixels_(static_cast<size_t>(width) * static_cast<size_t>(height)) {}

  void fill(const Drawing::Rectangle& part) {
    const int right = std::min(part.x + part.width, width_), below = std::min(part.y + part.height, height_);
    for (int y = std::max(part.y, 0); y < below; ++y)
      for (int x = std::max(part.x, 0); x < right; ++x) at(x, y) = static_cast<png_byte>(part.ink);
  }

  void write(const Drawing::Text& text) {
    constexpr int kScale = kCharacterWidth / (kGlyphColumns + 1);
    int left = text.x;
    for (const char character : text.text) {
      const Glyph glyph = glyph_of(character);
      for (int row = 0; row < kGlyphRows; ++row)
        for (int column = 0; column < kGlyphColumns; ++column)
          if (glyph[static_cast<size_t>(row)] >> (kGlyphColumns - 1 - column) & 1)
            fill({left + column * kScale, text.y + (row - kGlyphAscent) * kScale, kScale, kScale, Ink::text});
      left += kCharacterWidth;
    }
  }

  std::string png() const {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(width_), image.height = static_cast<png_uint_32>(height_);
    image.format = PNG_FORMAT_RGB_COLORMAP;
    image.colormap_entries = std::size(kColors);
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    std::string bytes(size, '\0');
    if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels_.data(), 0, kColors))
      throw Error(ErrorKind::internal, "PNG", image.message);
    bytes.resize(size);
    return bytes;
  }

 private:
  png_byte& at(int x, int y) {
    return pixels_[static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)];
  }
  int width_, height_;
  std::vector<png_byte> pixels_;  // indices of kColors; 0 is the page
};

}  // namespace

std::string to_png(const Drawing& drawing) {
  Raster raster(drawing.width, drawing.height);
  for (const Drawing::Rectangle& part : drawing.rectangles) raster.fill(part);
  for (const Drawing::Text& text : drawing.texts) raster.write(text);
  return raster.png();
}

}  // namespace eyrie
