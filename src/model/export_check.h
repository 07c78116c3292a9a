// model/export_check.h: whether an engine can read a draft directory and will compute what we do with it: names, shapes
// and dtypes of the tensors, d2t, both RoPE spellings, tap ids, variants. The table of what is needed is in the .cpp
// and in draft_readers.cpp; it is written independently of the writer.
#pragma once
#include <string>
#include <vector>

namespace eyrie {

// One sentence for each thing that `reader` ("sglang", "vllm") would miss or read otherwise; empty: it fits.
std::vector<std::string> export_problems(const std::string& directory, const std::string& reader);

}  // namespace eyrie
