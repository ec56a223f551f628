#include "preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "contract.h"

namespace preprocess {
namespace {

using picture::Pixels;

constexpr int kPrecision = 22;  // bits behind the point
constexpr double kA = -0.5;     // of the cubic

double weight(double signed_x) {
  const double x = std::fabs(signed_x);
  if (!contract::kBicubic) return x < 1 ? 1 - x : 0;
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * kA : 0;
}

struct Coefficients {
  std::vector<int> first, count;  // of each output, its first input, and how many there are
  std::vector<int> weights;
  int size = 0;  // of the row of weights of each output
};

Coefficients coefficients(int from, int to, int start, int length) {
  const double scale = static_cast<double>(from) / to;
  const double filter = std::max(scale, 1.0);
  const double support = (contract::kBicubic ? 2.0 : 1.0) * filter;
  const double inverse = 1.0 / filter;
  Coefficients found;
  found.size = static_cast<int>(std::ceil(support)) * 2 + 1;
  found.weights.resize(static_cast<std::size_t>(length) * found.size);
  std::vector<double> row(found.size);
  for (int i = 0; i < length; ++i) {
    const double center = (start + i + 0.5) * scale;
    const int low = std::max(0, static_cast<int>(center - support + 0.5));
    const int high = std::min(from, static_cast<int>(center + support + 0.5));
    double sum = 0;
    for (int x = low; x < high; ++x) sum += row[x - low] = weight((x - center + 0.5) * inverse);
    for (int x = 0; x < high - low; ++x) {
      const double exact = (sum != 0 ? row[x] / sum : row[x]) * (1 << kPrecision);
      found.weights[static_cast<std::size_t>(i) * found.size + x] = static_cast<int>(exact < 0 ? exact - 0.5 : exact + 0.5);
    }
    found.first.push_back(low);
    found.count.push_back(high - low);
  }
  return found;
}

std::uint8_t clipped(int sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kPrecision, 0, 255)); }

// Columns `left` to `left + length` of the picture resized to `width`, of the rows `top` to `bottom`.
Pixels resample_columns(const Pixels& source, int width, int left, int length, int top, int bottom) {
  Pixels found{length, bottom - top, {}};
  found.data.resize(std::size_t{3} * length * found.height);
  const bool same = width == source.width;
  const Coefficients columns = same ? Coefficients{} : coefficients(source.width, width, left, length);
  std::uint8_t* to = found.data.data();
  for (int y = top; y < bottom; ++y) {
    const std::uint8_t* line = &source.data[std::size_t{3} * source.width * y];
    if (same) {
      to = std::copy_n(line + 3 * left, 3 * length, to);
      continue;
    }
    for (int x = 0; x < length; ++x) {
      std::array<int, 3> sums{1 << (kPrecision - 1), 1 << (kPrecision - 1), 1 << (kPrecision - 1)};
      const std::uint8_t* from = line + 3 * columns.first[x];
      const int* weights = &columns.weights[static_cast<std::size_t>(x) * columns.size];
      for (int k = 0; k < columns.count[x]; ++k, from += 3)
        for (int c = 0; c < 3; ++c) sums[c] += from[c] * weights[k];
      for (int sum : sums) *to++ = clipped(sum);
    }
  }
  return found;
}

Pixels resample(const Pixels& source, int width, int height, int left, int top, int part_width, int part_height) {
  if (height == source.height) return resample_columns(source, width, left, part_width, top, top + part_height);
  const Coefficients rows = coefficients(source.height, height, top, part_height);
  const int first = rows.first.front(), last = rows.first.back() + rows.count.back();
  const Pixels across = resample_columns(source, width, left, part_width, first, last);
  Pixels found{part_width, part_height, {}};
  const int stride = 3 * part_width;
  found.data.resize(static_cast<std::size_t>(stride) * part_height);
  std::vector<int> sums(stride);
  for (int y = 0; y < part_height; ++y) {
    std::fill(sums.begin(), sums.end(), 1 << (kPrecision - 1));
    for (int k = 0; k < rows.count[y]; ++k) {
      const std::uint8_t* from = &across.data[static_cast<std::size_t>(rows.first[y] - first + k) * stride];
      const int factor = rows.weights[static_cast<std::size_t>(y) * rows.size + k];
      for (int x = 0; x < stride; ++x) sums[x] += from[x] * factor;
    }
    std::transform(sums.begin(), sums.end(), &found.data[static_cast<std::size_t>(y) * stride], clipped);
  }
  return found;
}

std::vector<int> places(int from, int to) {
  std::vector<int> found;
  const double scale = static_cast<double>(from) / to;
  double at = scale * 0.5;  // summed up, not multiplied: it rounds as Pillow's does
  for (int i = 0; i < to; ++i, at += scale) found.push_back(std::min(from - 1, static_cast<int>(at)));
  return found;
}

}  // namespace

Pixels to_pixels(const Pixels& picture) {
  int width = contract::kResizeWidth, height = contract::kResizeHeight;
  if (contract::kCover) {
    const double scale = std::max(static_cast<double>(height) / picture.height, static_cast<double>(width) / picture.width);
    width = std::max(static_cast<int>(std::nearbyint(picture.width * scale)), width);  // halves to even
    height = std::max(static_cast<int>(std::nearbyint(picture.height * scale)), height);
  }
  const int left = (width - contract::kCropWidth) / 2, top = (height - contract::kCropHeight) / 2;
  return resample(picture, width, height, left, top, contract::kCropWidth, contract::kCropHeight);
}

std::vector<std::uint8_t> to_tensor(const Pixels& pixels) {
  const std::size_t places = static_cast<std::size_t>(pixels.width) * pixels.height;
  std::vector<std::uint8_t> tensor(3 * places * contract::kInputBytes);
  for (int channel = 0; channel < 3; ++channel) {
    std::array<float, 256> values;
    for (int pixel = 0; pixel < 256; ++pixel) {
      const float normal = (static_cast<float>(pixel) / 255.0f - contract::kMean[channel]) / contract::kStd[channel];
      values[pixel] = contract::kLow + normal * (contract::kHigh - contract::kLow);
    }
    for (std::size_t place = 0; place < places; ++place) {
      const std::size_t to = contract::kChannelsLast ? place * 3 + channel : channel * places + place;
      const float value = values[pixels.data[place * 3 + channel]];
      if (contract::kInputBytes == 4)
        std::memcpy(&tensor[4 * to], &value, 4);
      else
        tensor[to] = static_cast<std::uint8_t>(static_cast<int>(std::nearbyint(value)));
    }
  }
  return tensor;
}

std::vector<int> nearest(const std::vector<int>& map, int width, int height, int to_width, int to_height) {
  const std::vector<int> columns = places(width, to_width), rows = places(height, to_height);
  std::vector<int> found;
  found.reserve(static_cast<std::size_t>(to_width) * to_height);
  for (int row : rows)
    for (int column : columns) found.push_back(map[static_cast<std::size_t>(row) * width + column]);
  return found;
}

}  // namespace preprocess
