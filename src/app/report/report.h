// app/report/report.h: the page of a run directory, from what stands there: metrics.jsonl, run.toml, generated.json.
#pragma once
#include <string>

namespace eyrie {

// Error{usage} when something stands there that is no page of ours.
void expect_report(const std::string& path);
// Error{input} when the directory holds no run. A run that is going on or was killed gives a page up to there.
void write_report(const std::string& run_directory, const std::string& output);

}  // namespace eyrie
