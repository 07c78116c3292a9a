#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "app/progress.h"
#include "app/report/chart.h"
#include "app/report/report.h"

namespace eyrie {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ink: #1b2430; --soft: #5b6675; --line: #dde2e8; --page: #fbfbf9; --card: #ffffff;
  --draft: #d8ecd9; --draft-ink: #14532d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebef; --soft: #9aa6b4; --line: #303944; --page: #14181d;
  --card: #1b2027; --draft: #1f4a2b; --draft-ink: #c9f2d2; } }
body { margin: 2.5rem auto; max-width: 64rem; padding: 0 1.2rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.05rem; margin: 0 0 .6rem; } p { margin: 0 0 1.2rem; }
.note { color: var(--soft); font-size: .88rem; margin: .6rem 0 0; }
.cards { display: grid; gap: 1.2rem; grid-template-columns: 1fr 1fr; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; min-width: 0; }
section.wide { grid-column: 1 / -1; } @media (max-width: 46rem) { .cards { grid-template-columns: 1fr; } }
table { border-collapse: collapse; width: 100%; } td { padding: .22rem 0; border-bottom: 1px solid var(--line); }
td:last-child { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; padding-left: 1rem; }
tr:last-child td { border: 0; }
pre { font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: .6rem 0; }
.answer { font: 14px/1.7 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0 1rem; }
mark { background: var(--draft); color: var(--draft-ink); border-radius: 3px; }
)";

using Rows = std::vector<std::pair<std::string, std::string>>;
using Points = std::vector<MetricsPoint>;
using ValueOf = std::function<double(const MetricsPoint&)>;  // NaN: the point has none

// Means over so many steps that a curve has at most kMostPoints.
std::vector<std::pair<double, double>> means(const Points& steps, const ValueOf& value_of) {
  constexpr size_t kMostPoints = 60;
  const size_t each = std::max<size_t>((steps.size() + kMostPoints - 1) / kMostPoints, 1);
  std::vector<std::pair<double, double>> found;
  for (size_t begin = 0; begin < steps.size(); begin += each) {
    const size_t end = std::min(begin + each, steps.size());
    double sum = 0, count = 0;
    for (size_t i = begin; i < end; ++i)
      if (const double value = value_of(steps[i]); std::isfinite(value)) sum += value, ++count;
    if (count > 0) found.emplace_back(steps[end - 1].step, sum / count);
  }
  return found;
}

ValueOf entry_of(std::vector<double> MetricsPoint::*list, size_t index, double scale = 1) {
  return [=](const MetricsPoint& point) {
    const std::vector<double>& values = point.*list;
    return index < values.size() ? scale * values[index] : NAN;
  };
}

double loss_of(const MetricsPoint& point) { return point.loss; }

// What the page's words come from.
struct Facts {
  const RunPage& page;
  const RunMetrics& metrics = page.metrics;
  RunBegin last = metrics.begins.empty() ? RunBegin{} : metrics.begins.back();
  size_t depths = metrics.steps.empty() ? 0 : metrics.steps.back().depth_loss.size();
  size_t chain = std::min<size_t>(last.chain > 0 ? static_cast<size_t>(last.chain) : depths, depths);
  ValueOf walked = entry_of(&MetricsPoint::walked, chain - 1);  // of no point without a chain

  std::string about(std::string_view name) const {
    for (const auto& [key, text] : last.about)
      if (key == name) return text;
    return "";
  }
  double last_value(const Points& points, const ValueOf& value_of) const {
    const auto found = means(points, value_of);
    return found.empty() ? NAN : found.back().second;
  }
};

// "2026-11-30T16:22:11.123Z" for people.
std::string date_of(const std::string& time) {
  return time.size() < 16 ? time : time.substr(0, 10) + " " + time.substr(11, 5) + " UTC";
}

std::string last_time(const RunMetrics& metrics) {
  std::string last = metrics.begins.empty() ? "" : metrics.begins.back().time;
  for (const Points* points : {&metrics.steps, &metrics.evaluations})
    if (!points->empty()) last = std::max(last, points->back().time);
  return last;
}

std::string state_of(const Facts& facts) {
  const int64_t done = facts.metrics.step(), steps = facts.last.steps;
  if (steps == 0) return fmt::format("{} steps", done);
  if (done >= steps) return fmt::format("finished: {} of {} steps", done, steps);
  return fmt::format("{} of {} steps: still going, or broken off after {}", done, steps,
                     date_of(last_time(facts.metrics)));
}

void add_figure(Rows& rows, const std::string& label, double value, int digits) {
  if (std::isfinite(value)) rows.emplace_back(label, fmt::format("{:.{}f}", value, digits));
}

Rows results(const Facts& facts) {
  const RunMetrics& metrics = facts.metrics;
  Rows rows = {{"state", state_of(facts)}};
  const auto skipped =
      std::count_if(metrics.steps.begin(), metrics.steps.end(), [](const auto& s) { return !s.applied; });
  int64_t tokens = 0;
  double seconds = 0;
  for (const MetricsPoint& step : metrics.steps) tokens += step.tokens, seconds += step.seconds;
  if (skipped > 0) rows.emplace_back("steps not applied (not finite)", std::to_string(skipped));
  rows.emplace_back("tokens, and time in steps", fmt::format("{}, {}", tokens, format_duration(seconds)));
  const std::string chain = fmt::format(", chain {}", facts.chain);
  add_figure(rows, "loss, training", facts.last_value(metrics.steps, loss_of), 3);
  add_figure(rows, "loss, held out", facts.last_value(metrics.evaluations, loss_of), 3);
  add_figure(rows, "accept length, walked on training" + chain, facts.last_value(metrics.steps, facts.walked), 2);
  add_figure(rows, "accept length, walked held out" + chain, facts.last_value(metrics.evaluations, facts.walked), 2);
  if (facts.page.generated)
    add_figure(rows,
               fmt::format("accept length, generated ({} prompts), chain {}", facts.page.generated->prompts,
                           facts.page.generated->chain),
               facts.page.generated->accepted.accept_length(), 2);
  if (metrics.unread_lines > 0)
    rows.emplace_back("broken lines of metrics.jsonl, left out", std::to_string(metrics.unread_lines));
  if (facts.page.generated)
    rows.insert(rows.end(), facts.page.generated->figures.begin(), facts.page.generated->figures.end());
  return rows;
}

Rows provenance(const Facts& facts) {
  const RunMetrics& metrics = facts.metrics;
  Rows rows = {{"run", facts.page.run}};
  for (const char* name : {"target", "seed"})
    if (const std::string text = facts.about(name); !text.empty()) rows.emplace_back(name, text);
  for (const RunBegin& begin : metrics.begins) {
    std::string text = date_of(begin.time);
    for (const auto& [name, value] : begin.about)
      if (name == "version" || name == "machine") text += (name == "version" ? ", eyrie " : ", ") + value;
    rows.emplace_back(begin.step == 0 ? "started" : fmt::format("went on behind step {}", begin.step), text);
  }
  if (const std::string last = last_time(metrics); !last.empty()) rows.emplace_back("last line", date_of(last));
  return rows;
}

std::string by_depth(const Facts& facts, std::string y_name, const Points& points,
                     std::vector<double> MetricsPoint::*list, double scale) {
  Chart chart{"optimizer step", std::move(y_name), {}};
  for (size_t k = 0; k < facts.depths; ++k)
    chart.series.push_back(
        {fmt::format("depth {}", k), means(points, entry_of(list, k, scale)), &points != &facts.metrics.steps});
  return curves(chart);
}

std::string note(std::string_view text) { return fmt::format("<p class=\"note\">{}</p>", text); }

std::string table(const Rows& rows) {
  std::string html = "<table>";
  for (const auto& [label, value] : rows)
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>", escape_html(label), escape_html(value));
  return html + "</table>";
}

std::string card(std::string_view heading, const std::string& body, bool wide = false) {
  return fmt::format("<section{}><h2>{}</h2>{}</section>\n", wide ? " class=\"wide\"" : "", escape_html(heading), body);
}

std::string sample_answers(const Generated& generated) {
  std::string html =
      note("<mark>Accepted draft tokens</mark>; the rest are the target's own. The text is the target's either way.");
  for (const SampleAnswer& answer : generated.answers) {
    html += fmt::format("<p><strong>{}</strong></p><div class=\"answer\">", escape_html(answer.question));
    for (const AnswerPiece& piece : answer.pieces)
      html += piece.from_draft ? "<mark>" + escape_html(piece.text) + "</mark>" : escape_html(piece.text);
    html += "</div>";
  }
  return html;
}

std::string charts(const Facts& facts) {
  const RunMetrics& metrics = facts.metrics;
  const bool held_out = metrics.evaluations.size() > 1;
  const auto generated_of = [](const MetricsPoint& point) { return point.generated.value_or(NAN); };
  const Chart losses{
      "optimizer step",
      "loss, nats, depths weighted",
      {{"training", means(metrics.steps, loss_of)}, {"held out", means(metrics.evaluations, loss_of), true}}};
  const Chart lengths{"optimizer step",
                      fmt::format("tokens a verify step, chain {}", facts.chain),
                      {{"training", means(metrics.steps, facts.walked)},
                       {"held out", means(metrics.evaluations, facts.walked), true},
                       {"generated", means(metrics.evaluations, generated_of), true}},
                      1};
  return card("Loss", curves(losses) + note("Of all depths: each divided by its n_k, then weighted.")) +
         card("Accept length",
              curves(lengths) +
                  note("Accept length: tokens that one verify step of the target keeps, its own token included; 1 is "
                       "decoding without a draft. Walked (training, held out): counted along answers that stand in the "
                       "data. Generated: counted while target and draft really answer prompts, which is what serving "
                       "sees; on answers that the target wrote itself, both are the same.")) +
         card("Loss of each depth, training",
              by_depth(facts, "loss, nats", metrics.steps, &MetricsPoint::depth_loss, 1)) +
         card(fmt::format("Accuracy of each depth, {}", held_out ? "held out" : "training"),
              by_depth(facts, "the target's own choice guessed, %", held_out ? metrics.evaluations : metrics.steps,
                       &MetricsPoint::depth_accuracy, 100) +
                  note("Depth 0 is the first token that the draft proposes in a chain, made from the target's states; "
                       "depth k the one k further on, made from the draft's own."));
}

std::string settings(const Facts& facts) {
  std::string html = table(provenance(facts));
  if (const std::string plan = facts.about("plan"); !plan.empty()) html += "<pre>" + escape_html(plan) + "</pre>";
  if (!facts.page.flags.empty())
    html += "<details><summary>every setting (run.toml)</summary><pre>" + escape_html(facts.page.flags) +
            "</pre></details>";
  return html + note("Tap, depth, walked, n_k and the other words: docs/training.md of Eyrie, \"Words\".");
}

}  // namespace

std::string render_page(const RunPage& page, const std::string& now) {
  const Facts facts{page};
  const std::string target = facts.about("target");
  const std::string title =
      "Eyrie: a draft" + (target.empty() ? "" : " for " + target.substr(target.find_last_of('/') + 1));
  std::string html = fmt::format(
      "{}<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>"
      "<style>{}{}</style></head><body>\n<h1>{}</h1>\n",
      kPageHead, escape_html(title), kStyle, chart_style(), escape_html(title));
  if (page.generated && !page.generated->verdict.empty())
    html += "<p>" + escape_html(page.generated->verdict) + "</p>\n";
  html += "<div class=\"cards\">\n" + card("Result", table(results(facts)), true) + charts(facts);
  if (page.generated) {
    const auto& steps = page.generated->accepted.steps_by_tokens;
    html += card("Tokens kept by a verify step",
                 bars("tokens kept, the target's own included", "% of the verify steps",
                      {steps.begin() + std::min<std::ptrdiff_t>(1, std::ssize(steps)), steps.end()}));
    if (!page.generated->answers.empty()) html += card("Sample answers", sample_answers(*page.generated), true);
  }
  html += card("This run", settings(facts), true);
  return html + fmt::format("</div>{}</body></html>\n", note("Page of " + date_of(now)));
}

}  // namespace eyrie
