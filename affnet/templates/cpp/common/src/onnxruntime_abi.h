// The part of ONNX Runtime's C interface that is needed here, so that its headers are not.
//
// OrtGetApiBase is the library's one entry; what GetApi returns is a table of functions whose order never
// changes, as later versions only append to it.  The numbers are places in the table of version 1.

#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
struct OrtApiBase {
  const void* (*GetApi)(std::uint32_t version);
  const char* (*GetVersionString)();
};
const OrtApiBase* OrtGetApiBase();
}

namespace ort {

using Handle = void*;  // of a status, an environment, a session, a value and so on

enum Place {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSessionFromArray = 8,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetIntraOpNumThreads = 24,
  kCreateTensorWithData = 49,
  kGetTensorMutableData = 51,
  kGetTensorShapeElementCount = 64,
  kGetTensorTypeAndShape = 65,
  kCreateCpuMemoryInfo = 69,
  kReleaseEnv = 92,
  kReleaseStatus = 93,
  kReleaseMemoryInfo = 94,
  kReleaseSession = 95,
  kReleaseValue = 96,
  kReleaseTensorTypeAndShapeInfo = 99,
  kReleaseSessionOptions = 100,
};

enum Type { kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6 };

constexpr int kWarning = 2;         // of the log
constexpr int kArenaAllocator = 1;  // of the processor's memory
constexpr int kDefaultMemory = 0;

}  // namespace ort
