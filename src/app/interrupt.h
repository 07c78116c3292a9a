// app/interrupt.h: Ctrl-C. The first one raises the flag that long work looks at; a second one leaves at once with
// status 130. SIGTERM is the same; so is a terminal that goes away (unless nohup has it ignored), however often it says
// so.
#pragma once
#include <atomic>

namespace eyrie {

// Installs the handler of SIGINT, SIGTERM and SIGHUP (once) and returns the flag.
const std::atomic<bool>& stop_requested();

}  // namespace eyrie
