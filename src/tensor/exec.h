// tensor/exec.h: where and with what an operation runs; the first argument of every operation. Nothing is ambient.
#pragma once
#include "tensor/buffer.h"

namespace eyrie {

struct Exec {
  Device device = Device::cpu;
  Scratch scratch;
};

}  // namespace eyrie
