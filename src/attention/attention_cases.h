// attention/attention_cases.h: what the harness runs of this room.
#pragma once
#include "testing/harness.h"

namespace eyrie {

void add_attention_cases(testing::CaseList& cases);  // those below too
void add_suffix_attention_cases(testing::CaseList& cases);
void add_paged_attention_cases(testing::CaseList& cases);
void add_block_mask_cases(testing::CaseList& cases);

}  // namespace eyrie
