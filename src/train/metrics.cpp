#include "train/metrics.h"

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "io/atomic_dir.h"
#include "io/json.h"

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

}  // namespace

// A last line that was cut off is dropped too.
MetricsFile::MetricsFile(const std::string& path, int64_t keep_steps) : path_(path) {
  std::ifstream file(path);
  std::string kept;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    const Json json = Json::parse(line, path);
    if (json.integer("step") > keep_steps) continue;
    kept += line + "\n";
    evaluated_ = evaluated_ || (json.integer("step") == keep_steps && json.text("kind") == "eval");
  }
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
                    {"loss", m.loss},
                    {"tokens", m.tokens},
                    {"seconds", m.seconds},
                    {"generated_accept_length", m.generated_accept_length ? Json(*m.generated_accept_length) : Json()},
                    {"walked_accept_length", walked_of(m.figures)},
                    {"product_accept_length", m.figures.product_accept_length()},
                    {"depths", depths_of(m.figures)}})
          .dump());
}

}  // namespace eyrie
