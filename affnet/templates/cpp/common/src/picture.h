// Pictures in RGB, and what makes them of files.

#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace picture {

// A picture that cannot be used; its message is one sentence.
struct PictureError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;  // 3 bytes a pixel, row by row
};

// Decodes a JPEG, PNG or WebP file.  Throws PictureError.
Pixels decode_file(const std::string& path);

// Decodes the bytes of a file; `name` begins the message of a PictureError.
Pixels decode(const std::vector<std::uint8_t>& bytes, const std::string& name = "The picture");

}  // namespace picture
