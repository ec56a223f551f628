#include "decoders.h"

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>
#ifdef HAVE_WEBP
#include <webp/decode.h>
#endif

namespace picture {
namespace {

struct JpegErrors {
  jpeg_error_mgr base;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
  bool cut_off;
};

[[noreturn]] void on_jpeg_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->base.format_message(info, errors->message);
  std::longjmp(errors->back, 1);
}

void on_jpeg_message(j_common_ptr info, int level) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  if (level < 0 && errors->base.msg_code == JWRN_JPEG_EOF) errors->cut_off = true;
}

int divided_by_255(int product) { return (((product + 128) >> 8) + product + 128) >> 8; }

// As Pillow: files of four colors are inverted, as Adobe's programs write them.
void from_cmyk(const std::uint8_t* from, std::uint8_t* to, int count) {
  for (; count > 0; --count, from += 4, to += 3) {
    const int black = from[3];
    for (int i = 0; i < 3; ++i)
      to[i] = static_cast<std::uint8_t>(std::clamp(black - divided_by_255((255 - from[i]) * black), 0, 255));
  }
}

struct JpegWork {  // what longjmp must not skip the end of
  jpeg_decompress_struct info{};
  JpegErrors errors{};
  std::vector<std::uint8_t> line;
  Pixels pixels;
  bool too_large = false;
};

bool read_jpeg(JpegWork& work, const std::vector<std::uint8_t>& bytes, const std::string& name) {
  auto& info = work.info;
  info.err = jpeg_std_error(&work.errors.base);
  work.errors.base.error_exit = on_jpeg_error;
  work.errors.base.emit_message = on_jpeg_message;
  if (setjmp(work.errors.back)) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&info, TRUE);
  check_size(info.image_width, info.image_height, name);
  const bool gray = info.jpeg_color_space == JCS_GRAYSCALE;
  const bool four = info.num_components == 4;
  info.out_color_space = gray ? JCS_GRAYSCALE : four ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info);
  const int width = static_cast<int>(info.output_width);
  work.pixels = {width, static_cast<int>(info.output_height), {}};
  work.pixels.data.resize(std::size_t{3} * info.output_width * info.output_height);
  work.line.resize(std::size_t{4} * info.output_width);
  for (std::uint8_t* to = work.pixels.data.data(); info.output_scanline < info.output_height; to += 3 * width) {
    std::uint8_t* line = gray || four ? work.line.data() : to;
    jpeg_read_scanlines(&info, &line, 1);
    if (four) from_cmyk(line, to, width);
    for (int x = 0; gray && x < width; ++x) std::fill_n(to + 3 * x, 3, line[x]);
  }
  jpeg_finish_decompress(&info);
  return true;
}

struct PngSource {
  const std::vector<std::uint8_t>& bytes;
  std::size_t at = 0;
  char message[200] = "";
};

void on_png_read(png_structp png, png_bytep to, std::size_t length) {
  auto* source = static_cast<PngSource*>(png_get_io_ptr(png));
  if (source->bytes.size() - source->at < length) png_error(png, "it is cut off");
  std::copy_n(source->bytes.begin() + static_cast<std::ptrdiff_t>(source->at), length, to);
  source->at += length;
}

[[noreturn]] void on_png_error(png_structp png, png_const_charp message) {
  auto* source = static_cast<PngSource*>(png_get_error_ptr(png));
  std::snprintf(source->message, sizeof source->message, "%s", message);
  png_longjmp(png, 1);
}

struct PngWork {
  std::vector<std::uint8_t> colors;
  std::vector<png_bytep> rows;
  png_uint_32 width = 0, height = 0;
};

bool read_png(png_structp png, png_infop info, PngSource& source, PngWork& work, const std::string& name) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, &source, on_png_read);
  png_read_info(png, info);
  work.width = png_get_image_width(png, info);
  work.height = png_get_image_height(png, info);
  check_size(work.width, work.height, name);
  png_set_expand(png);  // palettes, few bits and transparent colors
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 0xff, PNG_FILLER_AFTER);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  work.colors.resize(std::size_t{4} * work.width * work.height);
  for (png_uint_32 y = 0; y < work.height; ++y) work.rows.push_back(&work.colors[std::size_t{4} * work.width * y]);
  png_read_image(png, work.rows.data());
  return true;
}

Pixels laid_on_white(const std::uint8_t* colors, int width, int height) {
  Pixels pixels{width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
  for (std::size_t i = 0; i < pixels.data.size(); ++i)
    pixels.data[i] = on_white(colors[i / 3 * 4 + i % 3], colors[i / 3 * 4 + 3]);
  return pixels;
}

}  // namespace

Pixels decode_jpeg(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  JpegWork work;
  bool read = false;
  try {
    read = read_jpeg(work, bytes, name);
  } catch (...) {
    jpeg_destroy_decompress(&work.info);
    throw;
  }
  jpeg_destroy_decompress(&work.info);
  if (!read) throw PictureError(name + " cannot be decoded: " + work.errors.message + ".");
  if (work.errors.cut_off) throw PictureError(name + " is cut off.");
  return std::move(work.pixels);
}

Pixels decode_png(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  PngSource source{bytes};
  PngWork work;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_png_error, [](png_structp, png_const_charp) {});
  png_infop info = png_create_info_struct(png);
  bool read = false;
  try {
    read = read_png(png, info, source, work, name);
  } catch (...) {
    png_destroy_read_struct(&png, &info, nullptr);
    throw;
  }
  png_destroy_read_struct(&png, &info, nullptr);
  if (!read) throw PictureError(name + " cannot be decoded: " + source.message + ".");
  return laid_on_white(work.colors.data(), static_cast<int>(work.width), static_cast<int>(work.height));
}

Pixels decode_webp([[maybe_unused]] const std::vector<std::uint8_t>& bytes, const std::string& name) {
#ifdef HAVE_WEBP
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK)
    throw PictureError(name + " is a damaged WebP file.");
  check_size(features.width, features.height, name);
  int width = 0, height = 0;
  std::uint8_t* colors = WebPDecodeRGBA(bytes.data(), bytes.size(), &width, &height);
  if (!colors) throw PictureError(name + " is a damaged WebP file.");
  Pixels pixels = laid_on_white(colors, width, height);
  WebPFree(colors);
  return pixels;
#else
  throw PictureError(name + " is a WebP file, which this program was built without; install libwebp and build it again.");
#endif
}

}  // namespace picture
