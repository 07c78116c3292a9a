// app/bench/parts.h: what `eyrie bench` can run, a part each. Every table is at most 80 columns wide and states each
// figure beside the limit measured in the same process.
#pragma once
#include "app/commands.h"

namespace eyrie {

void bench_machine(const BenchOptions&);
bool bench_gpu_attention(const BenchOptions&);  // whether the filter took a line
void bench_decode(const BenchOptions&);         // a 1B-shaped random target
void bench_speculation(const BenchOptions&);    // what a cycle costs beside a plain step, for the target of --model
void bench_training(const BenchOptions&);       // a step of training on the conversations of --model

}  // namespace eyrie
