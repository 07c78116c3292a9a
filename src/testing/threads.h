// testing/threads.h: another number of OpenMP threads for the life of an object.
#pragma once
#include <omp.h>

namespace eyrie::testing {

class Threads {
 public:
  explicit Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace eyrie::testing
