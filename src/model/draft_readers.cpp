#include "model/draft_readers.h"

#include <fmt/core.h>

#include "base/error.h"

namespace eyrie {
namespace {

constexpr DraftReader kReaders[] = {
    {.name = "sglang",
     .taps_at_top = false,
     .first_one_is_output = true,
     .norm_before_residual = false,
     .biases = false,
     .taps = 3},
    {.name = "vllm",
     .taps_at_top = true,
     .first_one_is_output = false,
     .norm_before_residual = true,
     .biases = true,
     .taps = 3},
};

}  // namespace

const DraftReader& find_draft_reader(const std::string& name) {
  std::string names;
  for (const DraftReader& reader : kReaders) {
    if (name == reader.name) return reader;
    names += (names.empty() ? "" : ", ") + std::string(reader.name);
  }
  throw Error(ErrorKind::usage, "--for", fmt::format("\"{}\" is not known; known: {}", name, names));
}

std::vector<int64_t> taps_read_by(const DraftReader& reader, std::vector<int64_t> written) {
  if (written.empty() || (reader.first_one_is_output && written.front() == 1)) return written;
  for (int64_t& id : written) --id;
  return written;
}

}  // namespace eyrie
