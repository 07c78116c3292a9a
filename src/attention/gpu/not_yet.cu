// The backends that have no kernels yet refuse every problem. A line goes when its backend's folder defines it.
#include "attention/backend.h"

namespace eyrie {
namespace {

std::string why_not(const SuffixAttention&) { return "it has no kernels yet"; }
constexpr DeviceFunctions kNotYet = {why_not, nullptr, nullptr, nullptr};

}  // namespace

const DeviceFunctions fused::kCuda = kNotYet;
const DeviceFunctions merge::kCuda = kNotYet;
const DeviceFunctions masked::kCuda = kNotYet;
const DeviceFunctions dense::kCuda = kNotYet;

}  // namespace eyrie
