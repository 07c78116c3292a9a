// app/report/page.h: a run as one self-contained HTML page: no script, no outside resource.
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

}  // namespace eyrie
