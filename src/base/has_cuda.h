// base/has_cuda.h: whether this build holds the CUDA code; in `if constexpr` a discarded call needs no definition.
#pragma once

namespace eyrie {

#ifdef EYRIE_HAS_CUDA
inline constexpr bool kHasCuda = true;
#else
inline constexpr bool kHasCuda = false;
#endif

}  // namespace eyrie
