#include "network.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "contract.h"
#include "onnxruntime_abi.h"
#include "preprocess.h"

namespace network {
namespace {

const void* const* functions() {
  static const auto* table = static_cast<const void* const*>(OrtGetApiBase()->GetApi(1));
  if (!table) throw std::runtime_error("This ONNX Runtime has no interface of version 1.");
  return table;
}

template <typename Result, typename... Arguments>
Result call(ort::Place place, Arguments... arguments) {
  return reinterpret_cast<Result (*)(Arguments...)>(const_cast<void*>(functions()[place]))(arguments...);
}

template <typename... Arguments>
void checked(ort::Place place, Arguments... arguments) {
  ort::Handle status = call<ort::Handle>(place, arguments...);
  if (!status) return;
  const std::string reason = call<const char*>(ort::kGetErrorMessage, static_cast<const void*>(status));
  call<void>(ort::kReleaseStatus, status);
  throw std::runtime_error("ONNX Runtime: " + reason);
}

// Owns what ONNX Runtime gives.
class Owned {
 public:
  explicit Owned(ort::Place release) : release_(release) {}
  ~Owned() {
    if (handle) call<void>(release_, handle);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ort::Handle handle = nullptr;

 private:
  ort::Place release_;
};

std::vector<char> content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + " cannot be read.");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<float> values_of(ort::Handle value, bool integers) {
  Owned shape(ort::kReleaseTensorTypeAndShapeInfo);
  checked(ort::kGetTensorTypeAndShape, static_cast<const void*>(value), &shape.handle);
  std::size_t count = 0;
  checked(ort::kGetTensorShapeElementCount, static_cast<const void*>(shape.handle), &count);
  void* data = nullptr;
  checked(ort::kGetTensorMutableData, value, &data);
  if (!integers) return {static_cast<float*>(data), static_cast<float*>(data) + count};
  const auto* first = static_cast<std::int32_t*>(data);
  return {first, first + count};
}

// ONNX Runtime reports to its makers otherwise; a value that stands wins.
void turn_off_telemetry() {
  constexpr const char* kVariable = "ORT_DISABLE_TELEMETRY";
  if (std::getenv(kVariable)) return;
#ifdef _WIN32
  _putenv_s(kVariable, "1");
#else
  setenv(kVariable, "1", 1);
#endif
}

}  // namespace

struct Network::Handles {
  Owned environment{ort::kReleaseEnv}, options{ort::kReleaseSessionOptions}, memory{ort::kReleaseMemoryInfo},
      session{ort::kReleaseSession};  // destroyed from the last to the first
};

Network::Network(const std::string& model, int threads) : handles_(std::make_unique<Handles>()) {
  auto& [environment, options, memory, session] = *handles_;
  turn_off_telemetry();
  checked(ort::kCreateEnv, ort::kWarning, contract::kName, &environment.handle);
  checked(ort::kCreateSessionOptions, &options.handle);
  checked(ort::kSetIntraOpNumThreads, options.handle, threads);
  checked(ort::kCreateCpuMemoryInfo, ort::kArenaAllocator, ort::kDefaultMemory, &memory.handle);
  const std::vector<char> content = content_of(model);
  checked(ort::kCreateSessionFromArray, static_cast<const void*>(environment.handle),
          static_cast<const void*>(content.data()), content.size(), static_cast<const void*>(options.handle),
          &session.handle);
}

Network::~Network() = default;

Outputs Network::run(const picture::Pixels& picture) {
  std::vector<std::uint8_t> tensor = preprocess::to_tensor(preprocess::to_pixels(picture));
  Owned input(ort::kReleaseValue);
  const auto& shape = contract::kInputShape;
  checked(ort::kCreateTensorWithData, static_cast<const void*>(handles_->memory.handle),
          static_cast<void*>(tensor.data()), tensor.size(), shape.data(), shape.size(),
          static_cast<int>(contract::kInputType), &input.handle);
  constexpr std::size_t count = contract::kOutputNames.size();
  std::vector<std::unique_ptr<Owned>> given;
  std::vector<ort::Handle> values(count, nullptr);
  const char* const names[] = {contract::kInputName};
  const ort::Handle inputs[] = {input.handle};
  checked(ort::kRun, handles_->session.handle, static_cast<const void*>(nullptr), static_cast<const char* const*>(names),
          static_cast<const ort::Handle*>(inputs), std::size_t{1}, contract::kOutputNames.data(), count, values.data());
  for (ort::Handle value : values) {
    given.push_back(std::make_unique<Owned>(ort::kReleaseValue));
    given.back()->handle = value;
  }
  Outputs outputs;
  for (std::size_t i = 0; i < count; ++i)
    outputs[contract::kOutputNames[i]] = values_of(values[i], contract::kOutputIsInteger[i]);
  return outputs;
}

std::vector<float> softmax(const float* scores, std::size_t count) {
  const float largest = *std::max_element(scores, scores + count);
  std::vector<float> found(count);
  float sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += found[i] = std::exp(scores[i] - largest);
  for (float& one : found) one /= sum;
  return found;
}

}  // namespace network
