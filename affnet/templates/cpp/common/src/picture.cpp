#include "picture.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>

#include "contract.h"
#include "decoders.h"

namespace picture {
namespace {

constexpr std::int64_t kMaxPixels = 100'000'000;  // a small file may declare any size
constexpr std::int64_t kMaxRatio = 250;           // of the sides: resized by the shorter one, a strip fills the memory

bool begins(const std::vector<std::uint8_t>& bytes, std::size_t at, const char* text) {
  const std::size_t length = std::strlen(text);
  return bytes.size() >= at + length && std::memcmp(bytes.data() + at, text, length) == 0;
}

std::uint32_t number(const std::uint8_t* at, int bytes, bool little) {
  std::uint32_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | at[little ? bytes - 1 - i : i];
  return value;
}

// The orientation, 1 to 8, in EXIF data that begins with a TIFF header.
int orientation_in(const std::uint8_t* exif, std::size_t size) {
  if (size < 8) return 1;
  const bool little = exif[0] == 'I';
  const std::size_t directory = number(exif + 4, 4, little);
  if (directory + 2 > size) return 1;
  const std::size_t entries = number(exif + directory, 2, little);
  for (std::size_t entry = 0; entry < entries; ++entry) {
    const std::size_t at = directory + 2 + 12 * entry;
    if (at + 12 > size) return 1;
    if (number(exif + at, 2, little) != 0x0112) continue;
    const int value = static_cast<int>(number(exif + at + 8, 2, little));
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

int orientation_of_jpeg(const std::vector<std::uint8_t>& bytes) {
  for (std::size_t at = 2; at + 4 <= bytes.size() && bytes[at] == 0xff && bytes[at + 1] != 0xda;) {
    if (bytes[at + 1] == 0xff) {
      ++at;  // a filling byte
      continue;
    }
    const std::size_t size = number(&bytes[at + 2], 2, false);
    if (bytes[at + 1] == 0xe1 && begins(bytes, at + 4, "Exif") && at + 2 + size <= bytes.size() && size > 8)
      return orientation_in(&bytes[at + 10], size - 8);
    at += 2 + size;
  }
  return 1;
}

// Walks the chunks of a PNG or WebP file: the orientation, and whether it is animated.
int orientation_of_chunks(const std::vector<std::uint8_t>& bytes, bool png, bool* animated) {
  int orientation = 1;
  for (std::size_t at = png ? 8 : 12; at + 8 <= bytes.size();) {
    const std::size_t size = number(&bytes[png ? at : at + 4], 4, !png);
    const std::size_t kind = png ? at + 4 : at, body = at + 8;
    const bool whole = body + size <= bytes.size();
    if (png && begins(bytes, kind, "acTL") && whole && size >= 4) *animated = number(&bytes[body], 4, false) > 1;
    if (!png && begins(bytes, kind, "VP8X") && whole && size >= 1) *animated = bytes[body] & 0x02;
    if (begins(bytes, kind, png ? "eXIf" : "EXIF") && whole) {
      const std::size_t skip = begins(bytes, body, "Exif") ? 6 : 0;
      if (size > skip) orientation = orientation_in(&bytes[body + skip], size - skip);
    }
    at = body + size + (png ? 4 : size & 1);
  }
  return orientation;
}

Pixels turned(Pixels pixels, int orientation) {
  if (orientation == 1) return pixels;
  const bool swapped = orientation > 4;
  const bool mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flipped = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Pixels found{swapped ? pixels.height : pixels.width, swapped ? pixels.width : pixels.height, {}};
  found.data.resize(pixels.data.size());
  std::uint8_t* to = found.data.data();
  for (int y = 0; y < found.height; ++y)
    for (int x = 0; x < found.width; ++x, to += 3) {
      const int column = swapped ? y : x, row = swapped ? x : y;
      const std::size_t line = flipped ? pixels.height - 1 - row : row;
      const std::size_t place = mirrored ? pixels.width - 1 - column : column;
      std::copy_n(&pixels.data[3 * (line * pixels.width + place)], 3, to);
    }
  return found;
}

}  // namespace

void check_size(std::int64_t width, std::int64_t height, const std::string& name) {
  if (width < 1 || height < 1) throw PictureError(name + " has no pixels.");
  if (width * height > kMaxPixels) throw PictureError(name + " has too many pixels to be decoded.");
  if (std::max(width, height) > kMaxRatio * std::min(width, height))
    throw PictureError(name + " is more than " + std::to_string(kMaxRatio) + " times as long as it is wide.");
}

// As Pillow's alpha_composite.
std::uint8_t on_white(int value, int alpha) {
  if (alpha == 255) return static_cast<std::uint8_t>(value);
  if (alpha == 0) return 255;
  const int sum = value * alpha * 128 + 255 * (255 - alpha) * 128 + (0x80 << 7);
  return static_cast<std::uint8_t>((((sum >> 8) + sum) >> 8) >> 7);
}

Pixels decode(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  const bool png = begins(bytes, 0, "\x89PNG\r\n\x1a\n");
  const bool webp = begins(bytes, 0, "RIFF") && begins(bytes, 8, "WEBP");
  Pixels pixels;
  int orientation = 1;
  if (begins(bytes, 0, "\xff\xd8\xff")) {
    pixels = decode_jpeg(bytes, name);
    orientation = orientation_of_jpeg(bytes);
  } else if (png || webp) {
    bool animated = false;
    orientation = orientation_of_chunks(bytes, png, &animated);
    if (animated) throw PictureError(name + " is animated; give a single picture.");
    pixels = png ? decode_png(bytes, name) : decode_webp(bytes, name);
  } else {
    throw PictureError(name + " is not an image in JPEG, PNG or WebP.");
  }
  return contract::kExifOrientation ? turned(std::move(pixels), orientation) : pixels;
}

Pixels decode_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw PictureError(path + " cannot be read.");
  const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return decode(bytes, path);
}

}  // namespace picture
