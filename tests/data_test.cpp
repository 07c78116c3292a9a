// Data and chat templates through the program: a model's own files decide, every spelling that data has is read, lines
// that do not fit are named. What people really have, and what is right of it (docs/data.md).
#include <fmt/core.h>

#include "chat_models.h"
#include "data/conversations.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;

using Data = ChatModels;

const Renames kMistralTokens = {{"<|bos|>", "<s>"}, {"<|end|>", "</s>"}};
// All of Llama 3's own, and two more.
const Renames kLlama3Tokens = {{"<|pad|>", "<|begin_of_text|>"},    {"<|bos|>", "<|start_header_id|>"},
                               {"<|system|>", "<|end_header_id|>"}, {"<|user|>", "<|eot_id|>"},
                               {"<|assistant|>", "<|im_start|>"},   {"<|end|>", "<|im_end|>"}};

std::string template_of(const std::string& name) { return read_bytes(vector_file("faults/" + name + ".jinja")); }
std::string own_template() { return Json::parse_file(asset("tokenizer_config.json")).text("chat_template"); }

const std::string kAnswer = "12 + 30 = 42. The answer is 42.";

// A question and this answer, its line's other keys before them.
std::string chat(const std::string& answer = R"("content": "12 + 30 = 42. The answer is 42.")",
                 const std::string& beside = "") {
  return "{" + beside + R"("messages": [{"role": "user", "content": "What is 12 + 30?"}, {"role": "assistant", )" +
         answer + "}]}\n";
}

// The one sequence of captured features, what is supervised in « ».
std::string captured_text(const std::string& directory, const std::string& model) {
  const PackedBatch batch = read_features(directory + "/features-00000.safetensors").tokens;
  EXPECT_EQ(batch.sequences(), 1);
  const Tokenizer tokenizer = Tokenizer::from_directory(model);
  std::string text;
  for (size_t t = 0; t < batch.input_ids.size(); ++t) {
    const bool before = t > 0 && batch.loss_mask[t - 1], now = batch.loss_mask[t];
    text += (now && !before) ? "«" : (before && !now) ? "»" : "";
    text += tokenizer.decode(std::span(&batch.input_ids[t], 1), false);
  }
  return text + (batch.loss_mask.back() ? "»" : "");
}

const std::string kAsk = "<|im_start|>user\nWhat is 12 + 30?<|im_end|>\n<|im_start|>assistant\n";

// llama2-chat-template, template-guessed-from-tokens, reasoning-content-dropped, tool-calls-dropped,
// tools-of-line-dropped
const struct {
  const char* chat_template;
  Renames tokens;
  std::string line, right;
} kTemplates[] = {
    {"llama2", kMistralTokens, chat(), "<s>[INST] What is 12 + 30? [/INST]« " + kAnswer + " </s>»"},
    {"mistral", kMistralTokens, chat(), "<s>[INST] What is 12 + 30? [/INST]«" + kAnswer + "</s>»"},
    {"chatml", kLlama3Tokens, chat(), kAsk + "«" + kAnswer + "<|im_end|>»\n"},
    {"reasoner", kChatmlTokens, chat(R"("reasoning_content": "I add the two.", "content": "The answer is 42.")"),
     kAsk + "«<think>\nI add the two.\n</think>\n\nThe answer is 42.<|im_end|>»\n"},
    {"reasoner", kChatmlTokens,
     chat(R"("content": "Let me see. ", "tool_calls": [{"type": "function", "function":)"
          R"( {"name": "add", "arguments": {"a": 12}}}])"),
     kAsk + "<think>\n\n</think>\n\n«Let me see. \n" +
         R"(<call>{"name": "add", "arguments": {"a": 12}}</call><|im_end|>»)" + "\n"},
    {"reasoner", kChatmlTokens,
     chat(R"("content": "42.")", R"("tools": [{"type": "function", "function": {"name": "add", "parameters": {}}}], )"),
     "<|im_start|>system\nYou may call these:\n" +
         std::string(R"({"type": "function", "function": {"name": "add", "parameters": {}}}<|im_end|>)") + "\n" + kAsk +
         "<think>\n\n</think>\n\n«42.<|im_end|>»\n"},
};

TEST_F(Data, TheModelsOwnTemplateWritesAllThatALineHolds) {
  for (const auto& one : kTemplates) {
    SCOPED_TRACE(one.line);
    const std::string target = path("target"), lines = file("data.jsonl", one.line);
    fs::remove_all(target);
    model("target", template_of(one.chat_template), one.tokens);
    EXPECT_EQ(shown(lines, {}, target), one.right);
    EXPECT_EQ(figures(lines, {}, target).array("warnings").size(), 0u);
    const Outcome captured = eyrie({"capture", "--model", target, "--input", lines, "--output", path("features")});
    ASSERT_EQ(captured.status, 0) << captured.error;
    EXPECT_EQ(captured_text(path("features"), target), one.right);
    const std::string source = target + "/tokenizer_config.json\n";
    EXPECT_TRUE(holds(captured.error, "chat template: " + source)) << captured.error;
    EXPECT_TRUE(holds(plan(lines, {}, target).out, "template   " + source));
  }
}

// thinking-prompt-lost: the generation prompt is the template's, to the tag that opens a block.
TEST_F(Data, PromptsEndAsTheTemplateEndsThem) {
  const std::string target = model("target", template_of("thinker"), kChatmlTokens);
  const auto answer = [&](const Arguments& more) {
    const Outcome outcome = eyrie(Arguments{"generate", "--model", target, "--max-new-tokens", "12"} + more);
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    return outcome.out;
  };
  const std::string found = answer({"--prompt", "hi"}),
                    plain = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(found, answer({"--raw", "--prompt", plain + "<think>\n"}));
  EXPECT_NE(found, answer({"--raw", "--prompt", plain}));
}

// huge-model-max-length
TEST_F(Data, NoLimitIsNoLimit) {
  const std::string target = model("target", "");
  std::string config = read_bytes(asset("tokenizer_config.json"));
  config.replace(config.find("2048"), 4, "1000000000000000019884624838656");
  file("target/tokenizer_config.json", config);
  EXPECT_EQ(eyrie({"generate", "--model", target, "--prompt", "What is 12 + 30?"}).out, kAnswer + "\n");
  const Outcome planned = plan(file("data.jsonl", chat()), {}, target);
  EXPECT_EQ(planned.status, 0) << planned.error;
  EXPECT_TRUE(holds(planned.out, "1 sequence (0 cut), 37 tokens")) << planned.out;
}

// stop-token-of-template-ignored: config.json names another one and there is no generation_config.json.
TEST_F(Data, AnswersEndAtTheStopTokensOfEveryFile) {
  const std::string target = model("target", own_template());
  fs::remove(target + "/generation_config.json");
  Json config = Json::parse_file(target + "/config.json");
  file("target/config.json", config.set("eos_token_id", 0).dump());
  const auto expect_stop = [&] {
    const Outcome answered =
        eyrie({"generate", "--model", target, "--prompt", "What is 12 + 30?", "--max-new-tokens", "40"});
    EXPECT_EQ(answered.out, kAnswer + "\n");
    EXPECT_TRUE(holds(answered.error, "ended by stop token")) << answered.error;
  };
  expect_stop();
  // The template alone: what it writes behind an answer.
  file("target/tokenizer_config.json",
       Json::object({{"chat_template", own_template()}, {"bos_token", "<|bos|>"}}).dump());
  expect_stop();
}

// heldout-line-without-answer
TEST_F(Data, AHeldOutLineWithoutAnswerIsNoPrompt) {
  const std::string lines = file("data.jsonl", first_lines(asset("conversations.jsonl"), 2));
  for (const char* bit : {"0", "1"}) {
    const std::string mask = fmt::format("[{0}, {0}, {0}, {0}, {0}, {0}]", bit), run = path("run") + bit;
    const std::string held_out =
        file("held_out.jsonl", chat() + R"({"input_ids": [1, 4, 200, 201, 202, 2], "loss_mask": )" + mask + "}\n");
    const Outcome outcome =
        eyrie({"train", "--model", kFledgling, "--data", lines, "--held-out", held_out, "--evaluate-every", "1",
               "--steps", "1", "--ttt-steps", "2", "--draft-vocabulary", "256", "--output", run});
    ASSERT_EQ(outcome.status, 0) << outcome.error;
    EXPECT_TRUE(holds(outcome.error, held_out +
                                         ": 1 of 2 prompts are left out of the generated accept length; the first: " +
                                         held_out + ":2: holds no turn to answer"))
        << outcome.error;
    EXPECT_TRUE(holds(outcome.error, "over 1 prompt\n")) << outcome.error;
    EXPECT_EQ(json_lines(read_bytes(run + "/metrics.jsonl")).back().integer("tokens"), 43);  // both lines' loss
  }
}

// json-array-data: what a file is, and the line that converts it.
TEST_F(Data, OtherFormsAreNamedByEveryCommand) {
  const std::string row = R"({"messages": []})", array = "a JSON array", jq = "jq -c '.[]' ";
  const struct {
    const char* name;
    std::string bytes, form, conversion;
  } forms[] = {{"array.json", "[" + row + ", " + row + "]", array, jq},
               {"pretty.json", "[\n  " + row + ",\n  " + row + "\n]\n", array, jq},
               {"data.parquet", "PAR1 and so on", "Parquet", "lines=True)\" "},
               {"data.jsonl.zst", "\x28\xb5\x2f\xfd and so on", "zstd", "zstd -dc "},
               {"data.jsonl.gz", "\x1f\x8b\x08 and so on", "gzip", "zcat "}};
  for (const auto& [name, bytes, form, conversion] : forms) {
    const std::string lines = file(name, bytes);
    const Outcome outcomes[] = {plan(lines), data(lines), eyrie({"generate", "--model", kFledgling, "--input", lines}),
                                eyrie({"capture", "--model", kFledgling, "--input", lines, "--output", path("out")})};
    for (const Outcome& outcome : outcomes) {
      EXPECT_EQ(unlike_failure(outcome, 2, lines + ": is " + form + ", expected JSONL"), "");
      EXPECT_TRUE(holds(outcome.error, conversion + lines)) << outcome.error;
    }
  }
}

TEST_F(Data, TheLineThatConvertsDoesSo) {
  const std::string lines = file("data.jsonl", chat());
  ASSERT_EQ(std::system(("gzip " + lines).c_str()), 0);
  const std::string said = plan(lines + ".gz").last_error_line();
  ASSERT_EQ(std::system(said.substr(said.find("zcat ")).c_str()), 0);
  EXPECT_EQ(read_bytes(lines), chat());
}

// loss-mask-types
TEST_F(Data, MasksAreNumbersOrTruths) {
  const std::string ids = R"({"input_ids": [1, 4, 20, 21, 22, 2], "loss_mask": )";
  for (const char* mask :
       {"[0, 0, 1, 1, 1, 1]}", "[false, false, true, true, true, true]}", "[0.0, 0.0, 1.0, 1.0, 1.0, 1.0]}"}) {
    const std::string lines = file("data.jsonl", ids + mask);
    EXPECT_EQ(shown(lines), "<|bos|><|user|>«/01<|end|>»");
    EXPECT_TRUE(holds(plan(lines).out, "6 tokens, 66.7 % supervised"));
  }
  const std::string wrong = file("wrong.jsonl", ids + R"([0, 0, 1, 1, 1, "yes"]})");
  EXPECT_EQ(unlike_failure(plan(wrong), 1, wrong + ":1: loss_mask: expected 0 or 1, found \"yes\""), "");
}

// system-field-dropped
TEST_F(Data, ASystemFieldIsTheFirstMessage) {
  std::string within = chat();
  within.insert(within.find('[') + 1, R"({"role": "system", "content": "Be short."}, )");
  for (const std::string& line : {chat("\"content\": \"" + kAnswer + "\"", R"("system": "Be short.", )"), within}) {
    const std::string lines = file("data.jsonl", line);
    EXPECT_TRUE(holds(plan(lines).out, "45 tokens"));
    EXPECT_TRUE(shown(lines).starts_with("<|bos|><|system|>\nBe short.<|end|>\n<|user|>\n")) << shown(lines);
  }
}

// one-bad-line-stops-data: named with its reason, and passed over where the share of such lines allows it.
TEST_F(Data, LinesThatDoNotFitAreNamedAndPassedOver) {
  const std::string gpt = R"({"from": "gpt", "value": "42."})", human = R"({"from": "human", "value": "What?"})";
  const auto conversation = [](const std::string& turns) { return "{\"conversations\": [" + turns + "]}\n"; };
  const struct {
    std::string line, why;  // no reason: it fits
  } cases[] = {
      {chat(R"("content": null)"), "message 2: content: expected text, found null"},
      {R"({"messages": [{"role": "user", "content": "What is 12 + 30?"}, {"role": "assistant", "content": null, )"
       R"("tool_calls": [{"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}}]}, )"
       R"({"role": "tool", "tool_call_id": "a", "content": "42"}, {"role": "assistant", "content": "42."}]})",
       ""},
      {conversation(""), "the conversation is empty"},
      {conversation(R"({"from": "human", "value": "hi \ud83d there"}, )" + gpt), "malformed JSON: "},
      {conversation(gpt + ", " + human + ", " + gpt), ""},
      {conversation(human + ", " + human + ", " + gpt), ""},
  };
  for (const auto& [line, why] : cases) {
    SCOPED_TRACE(line);
    const std::string lines = file("data.jsonl", chat() + line);
    const Outcome strict = plan(lines), lenient = plan(lines, {"--bad-lines", "0.5"});
    EXPECT_EQ(lenient.status, 0) << lenient.error;
    if (why.empty()) {
      EXPECT_TRUE(holds(strict.out, "2 sequences (0 cut), ")) << strict.error;
      continue;
    }
    EXPECT_EQ(unlike_failure(strict, 1, "1 of 2 lines do not fit: " + lines + ":2: "), "");
    EXPECT_EQ(unlike_failure(strict, 1, why), "");
    EXPECT_TRUE(holds(lenient.out, "1 sequence (0 cut, 1 line unfit)")) << lenient.out;
    EXPECT_TRUE(holds(lenient.error, lines + ":2: ") && holds(lenient.error, why)) << lenient.error;
  }
  const Outcome trained =
      eyrie({"train", "--model", kFledgling, "--data", file("data.jsonl", chat() + cases[0].line), "--bad-lines", "0.5",
             "--steps", "1", "--ttt-steps", "1", "--draft-vocabulary", "256", "--output", path("run")});
  EXPECT_EQ(trained.status, 0) << trained.error;
}

// prompt-files
TEST_F(Data, PromptsOfEveryKindAreAnswered) {
  const std::string prompts =
      file("prompts.jsonl", R"({"question_id": 81, "turns": ["What is 12 + 30?", "And plus 98?"]}
{"prompt": [{"role": "user", "content": "What is 12 + 30?"}]}
{"question": "What is 12 + 30?", "answer": 42}
{"text": "What is 12 + 30?"}
)");
  const Outcome outcome = eyrie({"generate", "--model", kFledgling, "--input", prompts, "--max-new-tokens", "30"});
  const auto lines = json_lines(outcome.out);
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(lines[i].text("text"), kAnswer) << i;
  EXPECT_EQ(lines[3].text("error"), prompts +
                                        ":4: expected one of \"prompt\", \"question\", \"turns\", \"messages\", "
                                        "\"conversations\" and \"input_ids\"");
}

}  // namespace
}  // namespace eyrie::e2e
