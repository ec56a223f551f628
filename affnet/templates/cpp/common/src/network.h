// The model in ONNX Runtime: a decoded picture in, named outputs out.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "picture.h"

namespace network {

using Outputs = std::map<std::string, std::vector<float>>;  // classes too are given as float

class Network {
 public:
  // Throws std::runtime_error with ONNX Runtime's reason.
  explicit Network(const std::string& model, int threads);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  Outputs run(const picture::Pixels& picture);

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

// Probabilities of scores.
std::vector<float> softmax(const float* scores, std::size_t count);

}  // namespace network
