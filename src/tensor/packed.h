// tensor/packed.h: sequences that lie end to end in one batch of `tokens` tokens (spec §1).
#pragma once
#include <cstdint>
#include <span>

namespace eyrie {

// Throws Error{input} unless cu_seqlens [B+1] rises from 0 to `tokens` (two equal entries: an empty sequence).
void expect_packed(std::span<const int32_t> cu_seqlens, int64_t tokens);

}  // namespace eyrie
