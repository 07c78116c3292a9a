// tensor/exec.h: where and with what an operation runs; the first argument of every operation. Nothing is ambient.
#pragma once
#include <functional>

#include "cuda/handles.h"
#include "tensor/buffer.h"
#include "tensor/crew.h"

namespace eyrie {

struct Exec {
  Exec() = default;
  explicit Exec(Device device);  // on a GPU: a stream of its own. Error{device} when there is none

  Device device = Device::cpu;
  Scratch scratch;       // there
  cuda::Stream stream;   // on a GPU
  Crew* crew = nullptr;  // inside with_crew
};

// body() with a crew for its loops; inside another one, or with one thread, just body().
void with_crew(Exec& exec, const std::function<void()>& body);

}  // namespace eyrie
