// attention/classic_wrong_rule.h: the mistake of docs/attention.md, "The classic wrong rule", for the tests that must
// catch it. The prefix is differentiated as if it were attention by itself: its own o0 and lse0, d_o0 = w0 d_o with its
// share of the softmax w0 = exp(lse0 - lse), and no gradient for lse0. Everything else is right.
#pragma once
#include "attention/suffix_attention.h"

namespace eyrie {

// As backward of suffix_attention.h, on the CPU; d_q contiguous.
void classic_wrong_backward(Exec& exec, const SuffixAttention& problem, const SuffixAttentionBackward& grad);

}  // namespace eyrie
