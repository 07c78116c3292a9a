// The bundled target end to end: tokenizer, template, weights, generation. Its conversations hold what another
// implementation (PyTorch, transformers) generated greedily with the same weights.
#include <gtest/gtest.h>

#include "data/prompts.h"
#include "eval/tasks.h"
#include "speculative/generate.h"

namespace eyrie {
namespace {

const std::string kFledgling = EYRIE_SOURCE_DIR "/assets/fledgling";

struct Answerer {
  Target target = load_target(kFledgling);
  ConversationReader reader = ConversationReader::of_model(kFledgling, {});
  Exec exec;
  Generator generator{exec, target, nullptr};

  Answerer() { reader.vocabulary = target.config.vocabulary; }

  std::string answer(std::span<const int32_t> prompt) {
    const auto decoder = std::make_shared<StreamDecoder>(*reader.tokenizer, true);
    return generator
        .generate(prompt, {.max_new_tokens = 200,
                           .chain = 0,
                           .stop_ids = target.config.stop_ids,
                           .text = {.decode = [decoder](int32_t id) { return decoder->push(id); },
                                    .finish = [decoder] { return decoder->finish(); }}})
        .text;
  }
};

TEST(Fledgling, AnswersAsTheOtherImplementationDid) {
  Answerer fledgling;
  int left = 5;
  for_each_json_line(kFledgling + "/conversations.jsonl", [&](const Json& line) {
    if (left-- <= 0) return;
    const Json::Array messages = read_conversation(line)->messages;
    EXPECT_EQ(fledgling.answer(make_prompt(fledgling.reader, std::string(content_of(messages[0]))).ids),
              content_of(messages[1]));
  });
}

TEST(Fledgling, SolvesHeldOutProblems) {
  Answerer fledgling;
  std::vector<Prompt> prompts = read_prompts(kFledgling + "/held_out.jsonl", fledgling.reader);
  ASSERT_EQ(prompts.size(), 200u);
  for (size_t i = 0; i < 200; i += 40)
    EXPECT_TRUE(exact_match(fledgling.answer(prompts[i].ids), prompts[i].answer)) << prompts[i].question;
}

}  // namespace
}  // namespace eyrie
