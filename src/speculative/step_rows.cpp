#include "speculative/step_rows.h"

#include <fmt/core.h>

#include <algorithm>

#include "tensor/exec.h"

namespace eyrie {
namespace {

void check(const SequenceRows& run, const PagePool& pool) {
  const int64_t rows = std::ssize(run.tokens), end = run.first_position + rows;
  const int64_t owned = run.pages->pages() * pool.page_size();
  std::string fault;
  if (&run.pages->pool() != &pool) fault = "its sequences lie in different pools";
  if (run.first_position < 0 || end > owned)
    fault = fmt::format("rows stand at positions {}..{}, their sequence has pages for {}", run.first_position, end - 1,
                        owned);
  if (run.logits < 0 || run.logits > rows)
    fault = fmt::format("asks for the logits of {} of {} rows", run.logits, rows);
  if (!fault.empty()) throw Error(ErrorKind::internal, "step", fault);
}

bool counts_up(std::span<const int32_t> index) {
  for (size_t i = 0; i < index.size(); ++i)
    if (index[i] != static_cast<int32_t>(i)) return false;
  return true;
}

}  // namespace

StepRows make_step_rows(Exec& exec, HostArrays& arrays, std::span<const SequenceRows> runs) {
  const PagePool& pool = runs[0].pages->pool();
  StepRows step;
  step.layers = pool.layers();
  int64_t table_width = 0;
  for (const SequenceRows& run : runs) {
    check(run, pool);
    step.rows += std::ssize(run.tokens), step.logits += run.logits;
    table_width = std::max(table_width, run.pages->pages());
  }
  arrays.clear();
  const auto take = [&](int64_t count) { return arrays.take<int32_t>(count); };
  const auto token = take(step.rows), position = take(step.rows), slot = take(step.rows), sequence = take(step.rows);
  const auto source_row = take(step.rows), logit_row = take(step.logits), table = take(std::ssize(runs) * table_width);
  size_t row = 0, asked = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const SequenceRows& run = runs[i];
    std::ranges::copy(run.pages->table(), table.begin() + static_cast<int64_t>(i) * table_width);
    const int64_t rows = std::ssize(run.tokens);
    for (int64_t j = 0; j < rows; ++j, ++row) {
      token[row] = run.tokens[static_cast<size_t>(j)];
      position[row] = static_cast<int32_t>(run.first_position + j);
      slot[row] = run.pages->slot(run.first_position + j);
      sequence[row] = static_cast<int32_t>(i);
      source_row[row] = static_cast<int32_t>(run.first_source + j);
      if (j >= rows - run.logits) logit_row[asked++] = static_cast<int32_t>(row);
    }
  }
  arrays.send(exec);
  step.token = arrays.there(token), step.position = arrays.there(position);
  step.slot = arrays.there(slot), step.sequence = arrays.there(sequence);
  step.page_table = arrays.there(table).reshape({std::ssize(runs), table_width});
  if (!counts_up(logit_row)) step.logit_row = arrays.there(logit_row);
  if (!counts_up(source_row)) step.source_row = arrays.there(source_row);
  return step;
}

}  // namespace eyrie
