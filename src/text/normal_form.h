// text/normal_form.h: Unicode normal forms. Linear in the text but for the sort of each run of combining marks
// (n log n); decomposition and composition tables are utf8proc's. They are of Unicode 9, as in Hugging Face's library:
// what came later stays as and where it is, and nothing moves or melts across it.
#pragma once
#include "text/aligned_text.h"

namespace eyrie {

enum class NormalForm { nfc, nfd, nfkc, nfkd };

// A character that was composed or decomposed comes from the first byte of the cluster (base and marks) it stood in.
AlignedText to_normal_form(const AlignedText& text, NormalForm form);

}  // namespace eyrie
