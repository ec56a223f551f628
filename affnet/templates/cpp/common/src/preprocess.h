// The pixel contract: from a decoded picture to the model's input, bit for bit as Pillow resizes.

#pragma once

#include <vector>

#include "picture.h"

namespace preprocess {

// The pixels of the model's input, in RGB.
picture::Pixels to_pixels(const picture::Pixels& picture);

// Pixels as the model takes them: layout, type, range, mean and scale; 4 bytes a value for float, else 1.
std::vector<std::uint8_t> to_tensor(const picture::Pixels& pixels);

// Brings a map of classes to another size by the nearest pixel.
std::vector<int> nearest(const std::vector<int>& map, int width, int height, int to_width, int to_height);

}  // namespace preprocess
