// cuda/cudnn.cuh: cuDNN's backend interface. The library is opened when first asked for and never linked: a machine
// without it runs everything else. Needs cudnn.h to compile.
#pragma once
#include <cudnn.h>
#include <dlfcn.h>

#include <span>
#include <string>
#include <utility>

#include "base/error.h"

namespace eyrie::cuda {

struct Cudnn {
  decltype(&cudnnGetVersion) version;
  decltype(&cudnnGetErrorString) error_string;
  decltype(&cudnnCreate) create;
  decltype(&cudnnSetStream) set_stream;
  decltype(&cudnnBackendCreateDescriptor) create_descriptor;
  decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor;
  decltype(&cudnnBackendSetAttribute) set_attribute;
  decltype(&cudnnBackendGetAttribute) get_attribute;
  decltype(&cudnnBackendFinalize) finalize;
  decltype(&cudnnBackendExecute) execute;

  Cudnn() {
    void* const library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library) throw Error(ErrorKind::device, "cuDNN", "libcudnn.so.9 was not found");
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      if (!function) throw Error(ErrorKind::device, "cuDNN", std::string("libcudnn.so.9 has no ") + name);
    };
    find(version, "cudnnGetVersion"), find(error_string, "cudnnGetErrorString");
    find(create, "cudnnCreate"), find(set_stream, "cudnnSetStream");
    find(create_descriptor, "cudnnBackendCreateDescriptor");
    find(destroy_descriptor, "cudnnBackendDestroyDescriptor");
    find(set_attribute, "cudnnBackendSetAttribute"), find(get_attribute, "cudnnBackendGetAttribute");
    find(finalize, "cudnnBackendFinalize"), find(execute, "cudnnBackendExecute");
    constexpr size_t kOldest = 91000;  // that takes -infinity as the score of a masked key
    if (version() < kOldest)
      throw Error(ErrorKind::device, "cuDNN", "expected 9.10 or later, found version " + std::to_string(version()));
  }
  void check(cudnnStatus_t found, const char* place) const {
    if (found != CUDNN_STATUS_SUCCESS) throw Error(ErrorKind::device, place, error_string(found));
  }
};

// Throws Error{device} each time when it cannot be opened.
inline const Cudnn& cudnn() {
  static const Cudnn* const opened = new Cudnn;  // never closed: CUDA may be gone first
  return *opened;
}

// A tensor, an operation, a graph, a plan: its attributes, then finish().
class CudnnDescriptor {
 public:
  explicit CudnnDescriptor(cudnnBackendDescriptorType_t type) {
    cudnn().check(cudnn().create_descriptor(type, &handle_), "cuDNN descriptor");
  }
  CudnnDescriptor(CudnnDescriptor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  CudnnDescriptor& operator=(CudnnDescriptor&&) = delete;
  ~CudnnDescriptor() {
    if (handle_) cudnn().destroy_descriptor(handle_);
  }

  template <typename T>
  CudnnDescriptor& set_all(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                           std::span<const T> values) {
    const auto count = static_cast<int64_t>(values.size());
    cudnn().check(cudnn().set_attribute(handle_, name, type, count, values.data()), "cuDNN attribute");
    return *this;
  }
  template <typename T>
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) {
    return set_all(name, type, std::span<const T>(&value, 1));
  }
  CudnnDescriptor& set(cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, part);
  }
  CudnnDescriptor& finish() {
    cudnn().check(cudnn().finalize(handle_), "cuDNN descriptor");
    return *this;
  }
  cudnnBackendDescriptor_t handle() const { return handle_; }

 private:
  cudnnBackendDescriptor_t handle_ = nullptr;
};

}  // namespace eyrie::cuda
