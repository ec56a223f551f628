// A decoder for each format, by the system's libraries.

#pragma once

#include "picture.h"

namespace picture {

Pixels decode_jpeg(const std::vector<std::uint8_t>& bytes, const std::string& name);
Pixels decode_png(const std::vector<std::uint8_t>& bytes, const std::string& name);
Pixels decode_webp(const std::vector<std::uint8_t>& bytes, const std::string& name);

// Throws PictureError for a size that no picture should have.
void check_size(std::int64_t width, std::int64_t height, const std::string& name);

// A color laid on white.
std::uint8_t on_white(int value, int alpha);

}  // namespace picture
