#include "app/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace eyrie {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler writes it");

extern "C" void on_signal(int) {
  if (stop.exchange(true)) _exit(130);
}

}  // namespace

const std::atomic<bool>& stop_requested() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  return stop;
}

}  // namespace eyrie
