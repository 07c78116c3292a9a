#include "model/draft_readers.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/named.h"

namespace eyrie {
namespace {

constexpr DraftReader kReaders[] = {
    {.name = "sglang",
     .taps_at_top = false,
     .first_one_is_output = true,
     .norm_before_residual = false,
     .biases = false,
     .qk_norm = false},
    {.name = "vllm",
     .taps_at_top = true,
     .first_one_is_output = false,
     .norm_before_residual = true,
     .biases = true,
     .qk_norm = true},
};

}  // namespace

const DraftReader& find_draft_reader(const std::string& name) {
  if (const DraftReader* found = find_named(kReaders, name)) return *found;
  throw Error(ErrorKind::usage, "--for", fmt::format("\"{}\" is not known; known: {}", name, names_of(kReaders)));
}

std::vector<int64_t> taps_read_by(const DraftReader& reader, std::vector<int64_t> written) {
  if (written.empty() || (reader.first_one_is_output && written.front() == 1)) return written;
  for (int64_t& id : written) --id;
  return written;
}

}  // namespace eyrie
