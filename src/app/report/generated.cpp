#include "app/report/generated.h"

#include <filesystem>

#include "io/atomic_dir.h"
#include "io/json.h"

namespace eyrie {
namespace {

std::string path_in(const std::string& run_directory) { return run_directory + "/generated.json"; }

Json as_json(const SampleAnswer& answer) {
  Json::Array pieces;
  for (const AnswerPiece& piece : answer.pieces)
    pieces.emplace_back(Json::object({{"text", piece.text}, {"from_draft", piece.from_draft}}));
  return Json::object({{"question", answer.question}, {"pieces", pieces}});
}

SampleAnswer answer_of(const Json& json) {
  SampleAnswer answer{json.text("question"), {}};
  for (const Json& piece : json.array("pieces"))
    answer.pieces.push_back({piece.text("text"), piece.boolean("from_draft")});
  return answer;
}

}  // namespace

void Generated::add(const Prompt& prompt, const GenerateResult& result, const Tokenizer* tokenizer) {
  ++prompts;
  accepted.add(result.accepted);
  if (!tokenizer || answers.size() == kSamples) return;
  SampleAnswer sample{prompt.question, {}};
  StreamDecoder decoder(*tokenizer, true);
  for (size_t t = 0; t < result.ids.size(); ++t)
    if (std::string text = decoder.push(result.ids[t]); !text.empty())
      sample.pieces.push_back({std::move(text), result.from_draft[t] != 0});
  if (std::string rest = decoder.finish(); !rest.empty()) sample.pieces.push_back({std::move(rest), false});
  answers.push_back(std::move(sample));
}

void write_generated(const std::string& run_directory, const Generated& generated) {
  Json::Array answers;
  Json figures = Json::object();
  for (const SampleAnswer& answer : generated.answers) answers.push_back(as_json(answer));
  for (const auto& [label, value] : generated.figures) figures.set(label, value);
  const auto& steps = generated.accepted.steps_by_tokens;
  const Json json = Json::object({{"prompts", generated.prompts},
                                  {"chain", generated.chain},
                                  {"steps_by_tokens", Json::Array(steps.begin(), steps.end())},
                                  {"verdict", generated.verdict},
                                  {"figures", figures},
                                  {"answers", answers}});
  write_file_atomically(path_in(run_directory), json.dump() + "\n");
}

std::optional<Generated> read_generated(const std::string& run_directory) {
  const std::string path = path_in(run_directory);
  if (!std::filesystem::exists(path)) return std::nullopt;
  const Json json = Json::parse_file(path);
  Generated generated{
      .prompts = json.integer("prompts"), .chain = json.integer("chain"), .verdict = json.text("verdict")};
  for (const Json& count : json.array("steps_by_tokens"))
    generated.accepted.steps_by_tokens.push_back(count.as_integer());
  for (const Json& answer : json.array("answers")) generated.answers.push_back(answer_of(answer));
  for (const auto& [label, value] : json.at("figures").as_members())
    generated.figures.emplace_back(label, value.as_text());
  return generated;
}

}  // namespace eyrie
