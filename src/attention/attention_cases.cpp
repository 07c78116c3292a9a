#include "attention/attention_cases.h"

namespace eyrie {

void add_attention_cases(testing::CaseList& cases) {
  add_suffix_attention_cases(cases);
  add_paged_attention_cases(cases);
  add_block_mask_cases(cases);
  add_ttt_attention_cases(cases);
}

}  // namespace eyrie
