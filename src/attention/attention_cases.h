// attention/attention_cases.h: what the harness runs of this room.
#pragma once
#include "attention/suffix_attention.h"
#include "testing/harness.h"

namespace eyrie {

void add_attention_cases(testing::CaseList& cases);  // those below too
void add_suffix_attention_cases(testing::CaseList& cases);
void add_paged_attention_cases(testing::CaseList& cases);
void add_block_mask_cases(testing::CaseList& cases);
void add_ttt_attention_cases(testing::CaseList& cases);

// On a GPU, bf16: o and every gradient of these packed sequences under 3 suffixes, 4 query heads to a key-value head of
// 128, against the CPU's f32.
std::vector<testing::Comparison> gpu_attention_errors(AttentionBackend backend, const std::vector<int>& lengths,
                                                      int q_heads);
// A line of them for each backend whose line's name holds `filter`; false when none does.
bool print_gpu_attention_errors(const std::string& filter);

}  // namespace eyrie
