// cuda/profile.h: what each kernel took, from CUDA events around every launch of a stream. Set stream.profile, run,
// read rows(). A kernel waits for its events, so a profiled run as a whole is slower than a plain one; not inside a
// graph.
#pragma once
#include <string>
#include <vector>

#include "cuda/handles.h"

namespace eyrie::cuda {

class Profile {
 public:
  struct Row {
    std::string kernel;
    int64_t launches = 0;
    double milliseconds = 0, bytes = 0, flops = 0;  // sums
  };

  void begin(const Stream& stream);
  void end(const Stream& stream, const char* kernel, double bytes, double flops);
  std::vector<Row> rows() const;  // in the order of their first launch; waits for the device

 private:
  struct Timed {
    std::string kernel;
    double bytes, flops;
    Event begin, end;
  };
  Event begin_;
  std::vector<Timed> launches_;
};

}  // namespace eyrie::cuda
