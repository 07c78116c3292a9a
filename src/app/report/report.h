// app/report/report.h: a run as one self-contained HTML page, no script, no outside resource, from what stands in its
// directory: metrics.jsonl, run.toml, generated.json.
#pragma once
#include <optional>
#include <string>

#include "app/report/generated.h"
#include "train/metrics.h"

namespace eyrie {

// How a page begins, by which Eyrie knows its own.
inline constexpr std::string_view kPageHead = "<!doctype html>\n<html lang=\"en\"><!-- eyrie report -->";

struct RunPage {
  std::string run;  // its directory's name
  RunMetrics metrics;
  std::string flags;  // as run.toml has them; or empty
  std::optional<Generated> generated;
};
// `now`: the time that the page tells as its own (base/time.h).
std::string render_page(const RunPage& page, const std::string& now);

// Error{usage} when something stands there that is no page of ours.
void expect_report(const std::string& path);
// Error{input} when the directory holds no run. A run that is going on or was killed gives a page up to there.
void write_report(const std::string& run_directory, const std::string& output);

}  // namespace eyrie
