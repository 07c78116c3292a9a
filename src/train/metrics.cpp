#include "train/metrics.h"

#include <fmt/core.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "data/json_lines.h"
#include "io/atomic_dir.h"

namespace eyrie {
namespace {

Json depths_of(const StepFigures& figures) {
  Json::Array depths;
  for (const DepthFigures& depth : figures.depths)
    depths.emplace_back(Json::object({{"loss", depth.loss()},
                                      {"accuracy", depth.accuracy()},
                                      {"oov_share", depth.oov_share()},
                                      {"accept_probability", depth.accept_probability()},
                                      {"rows", depth.supervised}}));
  return depths;
}

Json walked_of(const StepFigures& figures) {
  Json::Array lengths;
  for (const AcceptStatistics& walked : figures.walked) lengths.emplace_back(walked.accept_length());
  return lengths;
}

Json work_of(const WorkShares& work) {
  Json seconds = Json::object();
  for (size_t i = 0; i < kWorkNames.size(); ++i) seconds.set(kWorkNames[i], work.of[i]);
  return seconds;
}

double number_or_nan(const Json& line, const char* key) {
  const Json* value = line.find(key);
  return value ? value->as_number() : NAN;
}

MetricsPoint read_point(const Json& line) {
  MetricsPoint point;
  point.step = line.integer("step");
  point.tokens = line.integer("tokens");
  point.loss = number_or_nan(line, "loss");
  point.seconds = line.number("seconds");
  if (const Json* applied = line.find("applied")) point.applied = applied->as_boolean();
  if (const Json* time = line.find("time")) point.time = time->as_text();
  for (const Json& depth : line.array("depths")) {
    point.depth_loss.push_back(number_or_nan(depth, "loss"));
    point.depth_accuracy.push_back(number_or_nan(depth, "accuracy"));
  }
  for (const Json& length : line.array("walked_accept_length")) point.walked.push_back(length.as_number());
  if (const Json* generated = line.find("generated_accept_length")) point.generated = generated->as_number();
  return point;
}

RunBegin read_begin(const Json& line) {
  RunBegin begin{.step = line.integer("step"),
                 .steps = line.integer("steps"),
                 .chain = line.integer("chain"),
                 .time = line.text("time"),
                 .about = {}};
  for (const auto& [name, text] : line.at("about").as_members()) begin.about.emplace_back(name, text.as_text());
  return begin;
}

// A begin line belongs to the steps behind it.
bool is_kept(const Json& line, int64_t keep_steps) {
  const int64_t step = line.integer("step");
  return line.text("kind") == "begin" ? step < keep_steps : step <= keep_steps;
}

}  // namespace

// A last line that was cut off is dropped too.
MetricsFile::MetricsFile(const std::string& path, int64_t keep_steps) : path_(path) {
  std::ifstream file(path);
  std::string kept;
  int64_t broken = 0;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    try {
      const Json json = Json::parse(line, path);
      if (!is_kept(json, keep_steps)) continue;
      kept += line + "\n";
      evaluated_ = evaluated_ || (json.integer("step") == keep_steps && json.text("kind") == "eval");
    } catch (const Error&) {
      ++broken;
    }
  }
  if (broken > 0) log_warning(fmt::format("{}: {} broken lines are dropped", path, broken));
  write_file_atomically(path, kept);
}

void MetricsFile::append(const std::string& line) {
  std::ofstream file(path_, std::ios::app);
  file << line << '\n' << std::flush;
  if (!file) throw Error(ErrorKind::file, path_, "a line could not be written");
}

void MetricsFile::write(const TrainMetrics& m) {
  append(Json::object({{"kind", "train"},
                       {"step", m.step},
                       {"time", utc_now()},
                       {"epoch", m.epoch},
                       {"loss", m.loss},
                       {"learning_rate", m.learning_rate},
                       {"grad_norm", m.grad_norm},
                       {"applied", m.applied},
                       {"tokens", m.tokens},
                       {"seconds", m.seconds},
                       {"work", work_of(m.work)},
                       {"walked_accept_length", walked_of(m.figures)},
                       {"product_accept_length", m.figures.product_accept_length()},
                       {"depths", depths_of(m.figures)}})
             .dump());
}

void MetricsFile::write(const EvalMetrics& m) {
  append(
      Json::object({{"kind", "eval"},
                    {"step", m.step},
                    {"time", utc_now()},
                    {"loss", m.loss},
                    {"tokens", m.tokens},
                    {"seconds", m.seconds},
                    {"generated_accept_length", m.generated_accept_length ? Json(*m.generated_accept_length) : Json()},
                    {"walked_accept_length", walked_of(m.figures)},
                    {"product_accept_length", m.figures.product_accept_length()},
                    {"depths", depths_of(m.figures)}})
          .dump());
}

void MetricsFile::write(const RunBegin& begin) {
  Json about = Json::object();
  for (const auto& [name, text] : begin.about) about.set(name, text);
  append(Json::object({{"kind", "begin"},
                       {"step", begin.step},
                       {"time", utc_now()},
                       {"steps", begin.steps},
                       {"chain", begin.chain},
                       {"about", about}})
             .dump());
}

RunMetrics read_metrics(const std::string& path) {
  RunMetrics found;
  const UnfitLines lines = for_each_fit_line(path, [&](const Json& line, int64_t) {
    const std::string& kind = line.text("kind");
    if (kind == "train")
      found.steps.push_back(read_point(line));
    else if (kind == "eval")
      found.evaluations.push_back(read_point(line));
    else if (kind == "begin")
      found.begins.push_back(read_begin(line));
    else
      throw Error(ErrorKind::file, "kind", "expected train, eval or begin, found " + kind);
  });
  if (lines.unfit > 0 && lines.unfit == lines.lines) throw Error(ErrorKind::file, "", lines.first[0]);
  found.unread_lines = lines.unfit;
  return found;
}

}  // namespace eyrie
