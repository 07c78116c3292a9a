// testing/threads.h: another number of threads for the life of an object.
#pragma once
#include "base/threads.h"

namespace eyrie::testing {

class Threads {
 public:
  explicit Threads(int64_t count) : before_(thread_count()) { set_thread_count(count); }
  ~Threads() { set_thread_count(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int64_t before_;
};

}  // namespace eyrie::testing
