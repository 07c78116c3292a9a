#include "train/loss.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace eyrie {
namespace {

double ratio(double part, int64_t whole) { return whole ? part / static_cast<double>(whole) : 0; }

DepthFigures read_depth(const SoftCrossEntropyResult& result, int64_t depth) {
  const auto loss = result.loss.view<const float, 2>(), accept = result.accept.view<const float, 2>();
  const auto outcome = result.outcome.view<const uint8_t, 2>();
  DepthFigures figures;
  for (int64_t r = 0; r < loss.dims[0]; ++r) {
    const auto one = static_cast<RowOutcome>(outcome(r, depth));
    figures.loss_sum += loss(r, depth);
    figures.accept_sum += accept(r, depth);
    figures.supervised += one != RowOutcome::unsupervised;
    figures.in_vocabulary += one == RowOutcome::right || one == RowOutcome::wrong;
    figures.right += one == RowOutcome::right;
  }
  return figures;
}

// Of each row, how many depths from the first on are right.
std::vector<int32_t> right_runs(const SoftCrossEntropyResult& result) {
  const auto outcome = result.outcome.view<const uint8_t, 2>();
  std::vector<int32_t> runs;
  for (int64_t r = 0; r < outcome.dims[0]; ++r) {
    const auto right = [](uint8_t one) { return one == static_cast<uint8_t>(RowOutcome::right); };
    const uint8_t *first = outcome.row(r), *end = first + outcome.dims[1];
    runs.push_back(static_cast<int32_t>(std::find_if_not(first, end, right) - first));
  }
  return runs;
}

// The rows of each span: tokens that follow one another. (Two spans are never nearer than that: the rows of one end two
// tokens before its end.)
std::vector<std::span<const int32_t>> split_by_span(const Supervision& supervision, std::span<const int32_t> values) {
  std::vector<std::span<const int32_t>> parts;
  const std::vector<int32_t>& token = supervision.row_token;
  for (size_t begin = 0, end = 0; begin < token.size(); begin = end) {
    for (end = begin + 1; end < token.size() && token[end] == token[end - 1] + 1;) ++end;
    parts.push_back(values.subspan(begin, end - begin));
  }
  return parts;
}

}  // namespace

Normalize find_normalize(std::string_view name) {
  if (name == "step") return Normalize::step;
  if (name == "micro-batch") return Normalize::micro_batch;
  throw Error(ErrorKind::usage, "normalize", fmt::format("expected step or micro-batch, found {}", name));
}

std::string_view name(Normalize normalize) { return normalize == Normalize::step ? "step" : "micro-batch"; }

std::vector<double> depth_scales(double decay, std::span<const int64_t> rows) {
  std::vector<double> scales;
  for (size_t k = 0; k < rows.size(); ++k) scales.push_back(ratio(std::pow(decay, static_cast<double>(k)), rows[k]));
  return scales;
}

double DepthFigures::loss() const { return ratio(loss_sum, in_vocabulary); }
double DepthFigures::oov_share() const { return ratio(static_cast<double>(supervised - in_vocabulary), supervised); }
double DepthFigures::accuracy() const { return ratio(static_cast<double>(right), supervised); }
double DepthFigures::accept_probability() const { return ratio(accept_sum, supervised); }

void StepFigures::add(const StepFigures& other) {
  depths.resize(other.depths.size());
  walked.resize(other.walked.size());
  for (size_t k = 0; k < depths.size(); ++k) {
    depths[k].loss_sum += other.depths[k].loss_sum;
    depths[k].accept_sum += other.depths[k].accept_sum;
    depths[k].supervised += other.depths[k].supervised;
    depths[k].in_vocabulary += other.depths[k].in_vocabulary;
    depths[k].right += other.depths[k].right;
    walked[k].add(other.walked[k]);
  }
}

std::vector<int64_t> StepFigures::supervised() const {
  std::vector<int64_t> rows;
  for (const DepthFigures& depth : depths) rows.push_back(depth.supervised);
  return rows;
}

double StepFigures::loss(std::span<const double> scales) const {
  double sum = 0;
  for (size_t k = 0; k < depths.size(); ++k) sum += scales[k] * depths[k].loss_sum;
  return sum;
}

double StepFigures::product_accept_length() const {
  double length = 1, product = 1;
  for (const DepthFigures& depth : depths) length += product *= depth.accuracy();
  return length;
}

StepFigures read_figures(const Supervision& supervision, const SoftCrossEntropyResult& result) {
  const int64_t depths = supervision.depths;
  StepFigures figures(depths);
  for (int64_t k = 0; k < depths; ++k) figures.depths[static_cast<size_t>(k)] = read_depth(result, k);
  const std::vector<int32_t> runs = right_runs(result);
  for (const std::span<const int32_t> span : split_by_span(supervision, runs))
    for (int64_t chain = 1; chain <= depths; ++chain)
      figures.walked[static_cast<size_t>(chain - 1)].add(walk_span(span, chain));
  return figures;
}

}  // namespace eyrie
