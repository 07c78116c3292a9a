#include "attention/gpu/passes.cuh"

namespace eyrie::gpu {

template <typename T>
void forward_causal(Exec& exec, int64_t dim, const Problem<T>& problem, const Outputs<T>& out) {
  launch_forward<CausalKeyTiles>(exec, "attention forward, causal", dim, problem, out,
                                 [](int, int) { return NoLists(); });
}
template void forward_causal(Exec&, int64_t, const Problem<__nv_bfloat16>&, const Outputs<__nv_bfloat16>&);
template void forward_causal(Exec&, int64_t, const Problem<__half>&, const Outputs<__half>&);

}  // namespace eyrie::gpu
