// model/rope_frequencies.h: how fast each pair of a head turns, from a RopeConfig. With f_i = theta^(-2i/D), i < D/2:
//   default   f_i
//   linear    f_i / factor
//   llama3    by wavelength 2 pi / f_i: shorter than original/high keeps f_i, longer than original/low takes f_i /
//   factor,
//             between them the two are mixed linearly in original/wavelength
//   yarn      mixed by a ramp over i between the dimensions that turn beta_fast and beta_slow times in the original
//             positions; cos and sin carry attention_factor, by default 0.1 ln(factor) + 1
#pragma once
#include <vector>

#include "model/config.h"
#include "ops/rope.h"

namespace eyrie {

std::vector<double> rope_frequencies(const RopeConfig& rope, int64_t head_dim);
double rope_scale(const RopeConfig& rope);               // multiplies cos and sin
RopeTable make_rope_table(const DecoderConfig& config);  // max_positions

}  // namespace eyrie
