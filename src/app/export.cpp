#include <fmt/core.h>

#include "app/commands.h"
#include "app/output.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/log.h"
#include "io/atomic_dir.h"
#include "model/draft.h"
#include "model/draft_readers.h"
#include "train/checkpoint.h"

namespace eyrie {

void run_export(const ExportCommand& command) {
  expect_not_an_input(command.output, {command.checkpoint});
  expect_replaceable(command.output, {"config.json", "model.safetensors"});
  expect_no_run(command.checkpoint);
  const Draft draft = load_draft_alone(command.checkpoint);
  AtomicDirectory output(command.output);
  write_draft(output.path(), {.config = draft.config,
                              .tensors = draft.tensors,
                              .vocabulary = draft.vocabulary,
                              .embedding = draft.own_embedding ? draft.embedding : ConstTensor(),
                              .dtype = command.dtype,
                              .reader = command.reader});
  if (!command.reader.empty()) {
    const auto problems = export_problems(output.path(), find_draft_reader(command.reader));
    for (const std::string& problem : problems) log_warning(problem);
    if (!problems.empty())
      throw Error(ErrorKind::input, command.output,
                  fmt::format("not written: {} would not read it as it is meant ({})", command.reader,
                              counted(std::ssize(problems), "problem")));
  }
  output.commit();
  log_info(fmt::format("draft written to {}", command.output));
}

}  // namespace eyrie
