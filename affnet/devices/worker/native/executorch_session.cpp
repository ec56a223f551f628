// ExecuTorch for a Python without torch: a program is loaded, given arrays and run, through ctypes.
// `affnet.runtimes.executorch_native` calls it; it is compiled against the libraries of the package.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

namespace executorch::extension::threadpool {  // the package has the library without its header
class ThreadPool {
 public:
  size_t get_thread_count() const;
  bool _unsafe_reset_threadpool(uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace ext = executorch::extension;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::Program;

namespace {
struct Session {
  ext::Module module;
  std::vector<EValue> outputs;
};
}  // namespace

extern "C" {
// Returns null where the program is rejected; `error` becomes ExecuTorch's number of why.
Session* affnet_load(const char* path, int threads, int* error) {
  auto* pool = ext::threadpool::get_threadpool();
  if (pool->get_thread_count() != static_cast<size_t>(threads)) pool->_unsafe_reset_threadpool(threads);
  auto* session = new Session{ext::Module(path, ext::Module::LoadMode::File), {}};
  Error found = session->module.load(Program::Verification::InternalConsistency);
  if (found == Error::Ok) found = session->module.load_forward();
  *error = static_cast<int>(found);
  if (found == Error::Ok) return session;
  delete session;
  return nullptr;
}

// Runs on an array for each input, which has as many bytes as the program says.
int affnet_run(Session* session, void** arrays, const size_t* bytes, int count) {
  const auto meta = session->module.method_meta("forward");
  if (!meta.ok()) return static_cast<int>(meta.error());
  if (meta->num_inputs() != static_cast<size_t>(count)) return static_cast<int>(Error::InvalidArgument);
  std::vector<ext::TensorPtr> tensors;
  std::vector<EValue> values;
  for (int at = 0; at < count; at++) {
    const auto tensor = meta->input_tensor_meta(at);
    if (!tensor.ok()) return static_cast<int>(tensor.error());
    if (tensor->nbytes() != bytes[at]) return static_cast<int>(Error::InvalidArgument);
    const auto sizes = tensor->sizes();
    tensors.push_back(ext::from_blob(arrays[at], {sizes.begin(), sizes.end()}, tensor->scalar_type()));
    values.emplace_back(tensors.back());
  }
  auto given = session->module.forward(values);
  if (!given.ok()) return static_cast<int>(given.error());
  session->outputs = std::move(given.get());
  return 0;
}

int affnet_outputs(Session* session) { return static_cast<int>(session->outputs.size()); }

// Gives an output's axes (at most 16), type and values, which stay until the next run.
int affnet_output(Session* session, int index, int* sizes, int* type, const void** values) {
  const auto& tensor = session->outputs[index].toTensor();
  for (int axis = 0; axis < tensor.dim(); axis++) sizes[axis] = static_cast<int>(tensor.size(axis));
  *type = static_cast<int>(tensor.scalar_type());
  *values = tensor.const_data_ptr();
  return static_cast<int>(tensor.dim());
}
}
