// app/bench/parts.h: what `eyrie bench` can run, a part each. Every table is at most 80 columns wide and states each
// figure beside the limit measured in the same process.
#pragma once
#include "app/commands.h"

namespace eyrie {

void bench_machine(const BenchOptions&);

}  // namespace eyrie
