#include "app/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace eyrie {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler writes it");

// A terminal that goes away may hang up twice, its shell and its line: nobody stands there who wants to leave at once.
extern "C" void on_signal(int number) {
  if (stop.exchange(true) && number != SIGHUP) _exit(130);
}

}  // namespace

const std::atomic<bool>& stop_requested() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // nohup
  return stop;
}

}  // namespace eyrie
