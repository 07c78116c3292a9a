// cuda/profile.h: what each kernel took, from CUDA events around every launch of a stream. Set stream.profile, run,
// read rows(). A kernel waits for its events, so a profiled run as a whole is slower than a plain one; not inside a
// graph.
#pragma once
#include <string>
#include <vector>

#include "cuda/handles.h"

namespace eyrie::cuda {

struct LaunchCost {  // what a call must move and multiply, whatever the kernel does; 0: not stated
  double bytes = 0, flops = 0;
};

class Profile {
 public:
  struct Row {
    std::string kernel;
    int64_t launches = 0;
    double milliseconds = 0, bytes = 0, flops = 0;  // sums
  };

  void begin(const Stream& stream);
  void end(const Stream& stream, const char* kernel, const LaunchCost& cost);
  std::vector<Row> rows() const;  // in the order of their first launch; waits for the device

 private:
  struct Timed {
    std::string kernel;
    LaunchCost cost;
    Event begin, end;
  };
  Event begin_;
  std::vector<Timed> launches_;
};

}  // namespace eyrie::cuda
