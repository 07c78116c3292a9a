// tensor/exec.h: where and with what an operation runs; the first argument of every operation. Nothing is ambient but
// the number of threads (base/threads.h).
#pragma once
#include <memory>

#include "cuda/handles.h"
#include "tensor/buffer.h"
#include "tensor/crew.h"

namespace eyrie {

struct Exec {
  Exec() = default;
  explicit Exec(Device device);  // on a GPU: a stream of its own. Error{device} when there is none

  Crew& crew();  // of thread_count() threads, started by the first loop

  Device device = Device::cpu;
  Scratch scratch;      // there
  cuda::Stream stream;  // on a GPU

 private:
  std::unique_ptr<Crew> crew_;
};

}  // namespace eyrie
