// cuda/ptx/memory.cuh: copies from global to shared memory that run on their own (sm_80), and additions into global
// memory that return nothing.
#pragma once
#include <cstdint>

namespace eyrie::cuda {

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// 16 bytes, both sides aligned; zeros instead of reading when `valid` is false.
__device__ __forceinline__ void copy_16_async(uint32_t shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared), "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}

__device__ __forceinline__ void copy_4_async(uint32_t shared, const void* global) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;\n" ::"r"(shared), "l"(global) : "memory");
}

__device__ __forceinline__ void copy_8_async(uint32_t shared, const void* global) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8;\n" ::"r"(shared), "l"(global) : "memory");
}

__device__ __forceinline__ void store_4(uint32_t shared, uint32_t value) {
  asm volatile("st.shared.b32 [%0], %1;\n" ::"r"(shared), "r"(value) : "memory");
}

__device__ __forceinline__ int load_acquire(const int* from) {
  int value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];\n" : "=r"(value) : "l"(from) : "memory");
  return value;
}

__device__ __forceinline__ void add_release(int* to, int value) {
  asm volatile("red.release.gpu.global.add.s32 [%0], %1;\n" ::"l"(to), "r"(value) : "memory");
}

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// Until at most kPending of this thread's committed groups are under way; others' copies need a barrier behind it.
template <int kPending>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

// to[i] += values[i], aligned to their size together, each addition atomic.
__device__ __forceinline__ void add_two(float* to, const float* values) {
#if __CUDA_ARCH__ >= 900
  asm volatile("red.global.add.v2.f32 [%0], {%1, %2};\n" ::"l"(to), "f"(values[0]), "f"(values[1]) : "memory");
#else
  atomicAdd(to, values[0]), atomicAdd(to + 1, values[1]);
#endif
}

// The same for four, of which two and two lie apart.
__device__ __forceinline__ void add_four(float* to, const float* low, const float* high) {
#if __CUDA_ARCH__ >= 900
  asm volatile("red.global.add.v4.f32 [%0], {%1, %2, %3, %4};\n" ::"l"(to), "f"(low[0]), "f"(low[1]), "f"(high[0]),
               "f"(high[1])
               : "memory");
#else
  add_two(to, low), add_two(to + 2, high);
#endif
}

}  // namespace eyrie::cuda
