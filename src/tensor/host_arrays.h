// tensor/host_arrays.h: the small arrays that the host makes for one run (ids, positions, slots, pages) and that ops
// read where they run; the results that it reads afterwards. For a GPU they lie in pinned memory and go there in one
// copy; for a CPU they are that memory.
#pragma once
#include <span>
#include <vector>

#include "cuda/handles.h"
#include "tensor/buffer.h"

namespace eyrie {

struct Exec;

class HostArrays {
 public:
  HostArrays() = default;  // of a CPU
  // For the device of `exec`, which may be a dry run's: then nothing is there, and shapes alone may be asked for.
  explicit HostArrays(const Exec& exec);

  // `count` elements to write, not initialised; they stay where they are until clear().
  template <typename T>
  std::span<T> take(int64_t count) {
    return {static_cast<T*>(take_bytes(count * static_cast<int64_t>(sizeof(T)))), static_cast<size_t>(count)};
  }
  // Once everything taken is written: goes to the device in the stream's order, without waiting.
  void send(Exec& exec);
  // A taken array as the ops see it, [count]. On a GPU from send() on. Error{internal}: none of this object's.
  template <typename T>
  ConstTensor there(std::span<T> taken) const {
    return ConstTensor(find_there(taken.data()), kDType<std::remove_const_t<T>>, Shape{std::ssize(taken)}, device_);
  }
  // A result of the device in memory of the host, whole after exec.wait().
  Tensor read(Exec& exec, const Tensor& result);
  // Gives everything back; the next run of the same size allocates nothing. Waits for a copy that is still under way.
  void clear();
  int64_t allocations() const { return allocations_; }

 private:
  struct Block {
    Bytes host, device;  // device: on a GPU only
    int64_t size = 0, used = 0;
  };
  void* take_bytes(int64_t bytes);
  void add_block(int64_t size);
  const void* find_there(const void* host) const;

  Device device_ = Device::cpu;
  bool planned_ = false;
  std::vector<Block> blocks_;  // more than one only while the arrays of a run outgrow those before
  cuda::Event sent_;           // on a GPU, after a send()
  bool under_way_ = false;
  int64_t allocations_ = 0;
};

}  // namespace eyrie
