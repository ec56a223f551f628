// Runs a package for C++ on the pictures that stdin names; see tests/package/bulk.py.

#include <cstdint>
#include <cstdio>
#include <iostream>

#include <zlib.h>

#include "model.h"
#include "preprocess.h"

int main(int, char** words) {
  emoji_model::Classifier classifier(words[1]);
  for (std::string line; std::getline(std::cin, line);) {
    try {
      const auto picture = emoji_model::decode_file(line);
      const auto data = preprocess::to_pixels(picture).data;
      const auto pixels = crc32(0, data.data(), static_cast<unsigned>(data.size()));
      const int best = classifier.classify(picture).front().index;
      std::cout << "{\"file\": \"" << line << "\", \"pixels\": " << pixels << ", \"class\": " << best << "}\n";
    } catch (const emoji_model::PictureError& error) {
      std::cout << "{\"file\": \"" << line << "\", \"error\": \"" << error.what() << "\"}\n";
    }
  }
}
