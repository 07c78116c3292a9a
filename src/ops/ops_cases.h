// ops/ops_cases.h: what the harness runs of this room.
#pragma once
#include "testing/harness.h"

namespace eyrie {

void add_linear_cases(testing::CaseList& cases);
void add_norm_cases(testing::CaseList& cases);
void add_rope_cases(testing::CaseList& cases);
void add_activation_cases(testing::CaseList& cases);
void add_embedding_cases(testing::CaseList& cases);
void add_gpu_kernels_cases(testing::CaseList& cases);  // what those of elementwise ops reach

inline void add_ops_cases(testing::CaseList& cases) {
  add_linear_cases(cases);
  add_norm_cases(cases);
  add_rope_cases(cases);
  add_activation_cases(cases);
  add_embedding_cases(cases);
  if constexpr (kHasCuda) add_gpu_kernels_cases(cases);
}

}  // namespace eyrie
