// ops/into.h: what happens to what a destination already holds.
#pragma once

namespace eyrie {

enum class Into { overwrite, accumulate };

}  // namespace eyrie
