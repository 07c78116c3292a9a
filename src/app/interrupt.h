// app/interrupt.h: Ctrl-C. The first one raises the flag that long work looks at; a second one leaves at once with
// status 130.
#pragma once
#include <atomic>

namespace eyrie {

// Installs the handler of SIGINT and SIGTERM (once) and returns the flag.
const std::atomic<bool>& stop_requested();

}  // namespace eyrie
