#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <set>
#include <string>

#include "base/shown_text.h"

namespace eyrie {
namespace {

spdlog::logger& logger() {
  static const auto stderr_logger = [] {
    auto made = std::make_shared<spdlog::logger>("eyrie", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    return made;
  }();
  return *stderr_logger;
}

}  // namespace

void log_info(std::string_view line) { logger().info("{}", shown_text(line, true)); }
void log_info_once(std::string_view line) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> said;
  const std::lock_guard lock(mutex);
  if (said.emplace(line).second) log_info(line);
}
void log_warning(std::string_view line) { logger().warn("warning: {}", shown_text(line, true)); }
void set_log_quiet(bool quiet) { logger().set_level(quiet ? spdlog::level::warn : spdlog::level::info); }

}  // namespace eyrie
