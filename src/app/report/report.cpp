#include "app/report/report.h"

#include <fmt/core.h>

#include <filesystem>
#include <fstream>

#include "app/commands.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "io/atomic_dir.h"

namespace eyrie {
namespace fs = std::filesystem;

void expect_report(const std::string& path) {
  if (is_stream(path) || !fs::exists(path)) return;
  std::string head(kPageHead.size(), ' ');
  std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
  if (head != kPageHead) throw Error(ErrorKind::usage, path, "is there already, and no report: name another");
}

void write_report(const std::string& run_directory, const std::string& output) {
  const std::string metrics = run_directory + "/metrics.jsonl", flags = run_directory + "/run.toml";
  if (!fs::is_directory(run_directory))
    throw Error(ErrorKind::input, run_directory, "expected the directory of a run, found none");
  if (!fs::exists(metrics)) throw Error(ErrorKind::input, run_directory, "is no run: it holds no metrics.jsonl");
  const RunPage page{.run = fs::absolute(run_directory).lexically_normal().string(),
                     .metrics = read_metrics(metrics),
                     .flags = fs::exists(flags) ? read_file(flags) : "",
                     .generated = read_generated(run_directory)};
  write_file_atomically(output, render_page(page, utc_now()));
  log_info("report: " + output);
}

void run_report(const ReportCommand& command) {
  const std::string output = command.output.empty() ? fs::path(command.run) / "report.html" : fs::path(command.output);
  expect_report(output);
  write_report(command.run, output);
}

}  // namespace eyrie
