// `eyrie data`, and the flags of the chat template: what they say of data before anything is trained.
#include <fmt/core.h>

#include "chat_models.h"
#include "data/features.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;

using DataCommand = ChatModels;
using Templates = ChatModels;

// Fledgling's own template, and one that begins with what it is told.
const std::string kTurns =
    "{% for m in messages %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content ~ '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}";
const std::string kTold = "{{ greeting }} on {{ strftime_now('%d %b %Y') }}\n" + kTurns;

std::string line_of(const std::string& answer, const std::string& beside = "") {
  return "{" + beside + R"("messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": )" +
         answer + "}]}\n";
}
const std::string kHi = line_of("\"Yes.\"");

// All but the first supervised.
std::string tokens_line(int count) {
  std::string ids = "1", mask = "0";
  for (int i = 1; i < count; ++i) ids += ", 20", mask += ", 1";
  return R"({"id": 7, "input_ids": [)" + ids + R"(], "loss_mask": [)" + mask + "]}\n";
}

// Two turns; no conversation at all; tokens, and tokens that are cut; an answer that is empty; one that nobody asked
// for.
std::string lines_of_all_kinds() {
  return R"({"id": "two", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes."},)"
         R"( {"role": "user", "content": "So?"}, {"role": "assistant", "content": "No."}]})"
         "\n{\"messages\": []}\n" +
         tokens_line(3) + tokens_line(32) + line_of("\"\"") +
         R"({"messages": [{"role": "system", "content": "Hi"}, {"role": "assistant", "content": "x"}]})";
}
const Arguments kFlags{"--max-tokens", "30", "--draft-vocabulary", "3", "--bad-lines", "0.2"};

// Cut where `train` cuts.
TEST_F(DataCommand, SequencesEndAtTheTargetsPositions) {
  const std::string lines = file("data.jsonl", kHi), target = model("target", kTurns);
  std::string config = read_bytes(target + "/config.json");
  const std::string key = "\"max_position_embeddings\": ";
  config.replace(config.find(key), key.size() + 4, key + "8");
  fs::remove(target + "/config.json");
  file("target/config.json", config);
  const Json found = Json::parse(data(lines, {"--json"}, target).out, "data");
  EXPECT_EQ(found.integer("cut"), 1);
}

// 2 + 29 tokens of the lines of tokens and 7 of the answers ("/", then "." and <|end|> twice each are the three most
// frequent) are supervised, of 24 + 3 + 30.
TEST_F(DataCommand, TheTableSaysWhatTrainingWillSee) {
  const std::string lines = file("data.jsonl", lines_of_all_kinds()), target = model("target", kTurns);
  const Outcome outcome = data(lines, kFlags + Arguments{"--show", "2"}, target);
  const std::string table = fmt::format(R"(template    {}/tokenizer_config.json
lines       6, 1 unfit
            {}:2: the conversation is empty
sequences   3 of 5 lines; 1 cut, 2 left out (nothing supervised)
tokens      57, 66.7 % supervised, 7.89 % of them not in the 3 usual
lengths     least 3, median 24, nine tenths up to 30, most 30
turns       3 supervised: 3 go on from their prompt (a), 0 in a block that it
            opens (b), 0 behind what any answer shares (c); 0 with reasoning,
            1 empty; 1 more are context alone
)",
                                        target, lines);
  EXPECT_EQ(outcome.out,
            "--- sequence 1, id two (24 tokens)\n<|user|>\nHi<|end|>\n<|assistant|>\n«Yes.<|end|>»\n"
            "<|user|>\nSo?<|end|>\n<|assistant|>\n«No.<|end|>»\n\n"
            "--- sequence 2, id 7 (3 tokens)\n<|bos|>«//»\n---\n" +
                table);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(data(lines, kFlags, target).out, table);
}

TEST_F(DataCommand, JsonHoldsTheFiguresOfTheTable) {
  const std::string lines = file("data.jsonl", lines_of_all_kinds()), target = model("target", kTurns);
  const std::string expected = fmt::format(
      R"({{"template":"{}/tokenizer_config.json","template_date":"","tokenizer_bos":"","lines":6,"unfit":1,)"
      R"("first_unfit":["{}:2: the conversation is empty"],"conversations":3,"sequences":3,"cut":1,"unsupervised":2,)"
      R"("tokens":57,"supervised_tokens":38,"repeated_tokens":0,"draft_vocabulary":3,"oov_share":)",
      target, lines);
  const std::string found = figures(lines, kFlags, target).dump();
  EXPECT_EQ(found.substr(0, expected.size()), expected);
  EXPECT_EQ(
      found.substr(found.find(",\"lengths\"")),
      R"(,"lengths":{"least":3,"median":24,"nine_tenths":30,"most":30},"turns":{"a":3,"b":0,"c":0,"reasoning":0,)"
      R"("without_the_reasoning_opened":0,"with_an_added_block":0,"empty":1,"context":1},"unrendered":{},"warnings":[]})");
  EXPECT_NEAR(Json::parse(found, "found").number("oov_share"), 3.0 / 38, 1e-9);
}

TEST_F(DataCommand, OneIsNoPlural) {
  const std::string table = data(file("data.jsonl", tokens_line(1)), {"--show", "1"}).out;
  EXPECT_TRUE(holds(table, "--- sequence 1, id 7 (1 token)\n")) << table;
  EXPECT_TRUE(holds(table, "\nsequences   1 of 1 line; 0 cut")) << table;
  EXPECT_TRUE(holds(data(file("unfit.jsonl", "{}"), {}).error, ": 1 of 1 line does not fit: "));
}

// The answer comes before the judgement.
TEST_F(DataCommand, TooManyUnfitLinesEndIt) {
  const std::string lines = file("data.jsonl", kHi + "{}\n" + kHi + kHi);
  const std::string named = fmt::format(
      "{0}: 1 of 4 lines do not fit: {0}:2: expected \"conversations\", \"messages\" or \"input_ids\"", lines);
  const Outcome lenient = data(lines, {"--bad-lines", "0.25"}), strict = data(lines, {"--bad-lines", "0.24"});
  EXPECT_EQ(lenient.status, 0);
  EXPECT_EQ(strict.status, 1);
  EXPECT_EQ(lenient.out, strict.out);
  EXPECT_TRUE(holds(strict.out, "lines       4, 1 unfit\n")) << strict.out;
  EXPECT_EQ(lenient.last_error_line(), "warning: " + named + ": passed over");
  EXPECT_EQ(strict.last_error_line(), "eyrie: " + named + " (25 %, --bad-lines allows 24 %)");
}

// What the tokenizer would put in front of a text, the template does not: said, and not done.
TEST_F(DataCommand, ABosOfTheTokenizerIsNamed) {
  const std::string lines = file("data.jsonl", kHi), target = model("target", kTurns);
  const std::string plain = shown(lines, {}, target);
  const char* bos_first = R"({"type": "TemplateProcessing", "pair": [],
      "single": [{"SpecialToken": {"id": "<|bos|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "special_tokens": {"<|bos|>": {"id": "<|bos|>", "ids": [1], "tokens": ["<|bos|>"]}}})";
  Json tokenizer = Json::parse_file(target + "/tokenizer.json");
  file("target/tokenizer.json", tokenizer.set("post_processor", Json::parse(bos_first, "bos first")).dump());
  EXPECT_TRUE(holds(data(lines, {}, target).out, "\nbos         the tokenizer would put <|bos|> in front; "));
  EXPECT_EQ(figures(lines, {}, target).text("tokenizer_bos"), "<|bos|>");
  EXPECT_EQ(shown(lines, {}, target), plain);
}

const std::string kOther = kTurns + "{% if add_generation_prompt %}Say: {% endif %}";
const std::string kThinks = kTurns + "{% if add_generation_prompt %}<think>\n{% endif %}";
const std::string kUnopened = "1 turn has no reasoning, though the generation prompt always opens a block for it";
const std::string kOtherContext = "1 turn is trained behind another context than the model is served with (clause c)";

const struct {
  std::string chat_template, line;
  const char* turn;  // what is counted of it
  std::vector<std::string> warnings;
} kWarnings[] = {
    {kTurns, kHi, "a", {}},
    {kOther, kHi, "c", {kOtherContext}},
    {kThinks, kHi, "without_the_reasoning_opened", {kOtherContext, kUnopened}},
    {kThinks, line_of(R"("<think>\nSo.\n</think>\n\nYes.")"), "a", {}},
    {kThinks, line_of(R"("Yes.", "reasoning": "So.")"), "b", {}},
    {kThinks, line_of(R"("Yes.", "reasoning": "So.")"), "reasoning", {}},
    {kTurns,
     line_of(R"("Yes.", "note": 1)", R"("tools": [{"name": "add"}], "chat_template_kwargs": {"mood": "good"}, )"),
     "a",
     {"chat_template_kwargs: mood in 1 place: the template writes it not, or not whole",
      "note in 1 place: the template writes it not, or not whole",
      "tools in 1 place: the template writes it not, or not whole"}},
    {"{% for m in messages %}{{ m.role ~ m.content[:2] ~ '<|end|>' }}{% endfor %}",
     kHi,
     "a",
     {"content of assistant in 1 place: the template writes it not, or not whole"}},
};

TEST_F(DataCommand, WarnsOfWhatTheDraftWouldLearnAmiss) {
  for (const auto& [chat_template, line, turn, warnings] : kWarnings) {
    SCOPED_TRACE(chat_template + "\n" + line);
    const std::string lines = file("data.jsonl", line), target = path("target");
    fs::remove_all(target);
    model("target", chat_template);
    const Json found = figures(lines, {}, target);
    EXPECT_EQ(found.at("turns").integer(turn), 1);
    EXPECT_EQ(found.at("warnings").dump(), Json(Json::Array(warnings.begin(), warnings.end())).dump());
    std::string printed;
    for (const std::string& warning : warnings) printed += "warning     " + warning + "\n";
    const std::string table = data(lines, {}, target).out;
    EXPECT_EQ(table.substr(table.find("context alone\n") + 14), printed);
  }
}

// A turn whose history is written differently begins a sequence of its own: 2 of one line, the second's context
// repeated.
TEST_F(DataCommand, RepeatedContextsAreCounted) {
  const std::string reasoner = read_bytes(vector_file("faults/reasoner.jinja"));
  const std::string target = model("target", reasoner, kChatmlTokens);
  const std::string turns = R"({"role": "user", "content": "Hi"}, {"role": "assistant", "reasoning": "So.",)"
                            R"( "content": "Yes."})";
  const std::string lines = file("data.jsonl", "{\"messages\": [" + turns + ", " + turns + "]}\n");
  const Json found = figures(lines, {}, target);
  EXPECT_EQ(found.integer("sequences"), 2);
  const std::string context =
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n"
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  const Outcome counted =
      eyrie({"tokenize", "--model", target}, {.input = Json::object({{"text", context}}).dump() + "\n"});
  ASSERT_EQ(counted.status, 0) << counted.error;
  const auto repeated = std::ssize(json_lines(counted.out)[0].array("ids"));
  EXPECT_EQ(found.integer("repeated_tokens"), repeated);
  const double growth = 100.0 * static_cast<double>(repeated) / static_cast<double>(found.integer("tokens") - repeated);
  EXPECT_TRUE(holds(data(lines, {}, target).out,
                    fmt::format("\nrepeated    {} tokens of contexts that begin a sequence of their own (+{:.1f} %)\n",
                                repeated, growth)));
}

// A name, a file, or a word that is neither, for every command that reads conversations.
TEST_F(Templates, AreNamedOrAFile) {
  const std::string lines = file("data.jsonl", kHi), mine = file("mine.jinja", "My own\n" + kTurns);
  const auto commands = [&](const std::string& chat_template) {
    const Arguments flag{"--chat-template", chat_template};
    return std::vector<Outcome>{
        data(lines, flag), plan(lines, flag),
        eyrie(Arguments{"capture", "--model", kFledgling, "--input", lines, "--output", path("out")} + flag),
        eyrie(Arguments{"generate", "--model", kFledgling, "--prompt", "Hi", "--max-new-tokens", "1"} + flag)};
  };
  for (const auto& [given, source] : {std::pair(std::string("chatml"), std::string("built in: chatml")), {mine, mine}})
    for (const Outcome& outcome : commands(given)) {
      EXPECT_EQ(outcome.status, 0) << outcome.error;
      EXPECT_TRUE(holds(outcome.out + outcome.error, source + "\n")) << outcome.out << outcome.error;
    }
  EXPECT_TRUE(shown(lines, {"--chat-template", mine}).starts_with("My own\n<|user|>\nHi")) << "not rendered";
  EXPECT_TRUE(shown(lines, {"--chat-template", "chatml"}).starts_with("<|im_start|>user\nHi")) << "not rendered";
  for (const Outcome& outcome : commands("chatmk"))
    EXPECT_EQ(unlike_failure(outcome, 2, "chat-template: \"chatmk\": expected a file or one of chatml, "), "");
}

TEST_F(Templates, TakeArgumentsAndADate) {
  const std::string target = model("target", kTold), lines = file("data.jsonl", kHi);
  const std::string told = file("told.jsonl", line_of("\"Yes.\"", R"("chat_template_kwargs": {"greeting": "Ho"}, )"));
  const Arguments flags{"--template-arg", "greeting=Well, yes", "--template-date", "2024-07-26"};
  EXPECT_TRUE(shown(lines, flags, target).starts_with("Well, yes on 26 Jul 2024\n<|user|>"));
  EXPECT_TRUE(shown(told, flags, target).starts_with("Ho on 26 Jul 2024\n<|user|>"));
  EXPECT_EQ(figures(lines, flags, target).text("template_date"), "2024-07-26 00:00:00");
  EXPECT_TRUE(holds(data(lines, flags, target).out, "tokenizer_config.json, its date 2024-07-26 00:00:00\n"));
  EXPECT_EQ(unlike_failure(data(lines, {"--template-arg", "greeting"}, target), 2,
                           "template-arg: expected KEY=VALUE, found \"greeting\""),
            "");
  EXPECT_EQ(unlike_failure(data(lines, {"--template-date", "26.7.2024"}, target), 2,
                           "template-date: expected YYYY-MM-DD or YYYY-MM-DD HH:MM:SS, found \"26.7.2024\""),
            "");
}

// The hash is the text's, wherever it is found; the date is there where the template tells one.
TEST_F(Templates, StandInTheFeatures) {
  const std::string lines = file("data.jsonl", kHi);
  const auto captured = [&](const std::string& chat_template) {
    const Outcome outcome =
        eyrie({"capture", "--model", kFledgling, "--input", lines, "--output", path("features"), "--chat-template",
               file("mine.jinja", chat_template), "--template-date", "2026-11-30 12:34:56"});
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    return read_features(path("features/features-00000.safetensors")).info;
  };
  const FeatureInfo dated = captured(kTold), plain = captured(kTurns);
  EXPECT_EQ(dated.template_date, "2026-11-30 12:34:56");
  EXPECT_EQ(plain.template_date, "");
  for (const FeatureInfo& info : {dated, plain}) {
    EXPECT_EQ(info.template_hash.size(), 16u);
    EXPECT_EQ(info.template_hash.find_first_not_of("0123456789abcdef"), std::string::npos) << info.template_hash;
  }
  EXPECT_NE(dated.template_hash, plain.template_hash);
  EXPECT_EQ(captured(kTurns).template_hash, plain.template_hash);
}

// Nobody says a date: the run keeps that of its first step, whatever the clock says when it is resumed, and the
// template's arguments with it.
TEST_F(Templates, AResumedRunKeepsItsDate) {
  const std::string target = model("target", kTold);
  const Arguments train{"train", "--model", target, "--output", path("run")};
  const Arguments first{
      "--data",         file("data.jsonl", kHi), "--steps", "1", "--ttt-steps", "1", "--draft-vocabulary", "256",
      "--template-arg", "greeting=Hello, you"};
  const auto date_at = [&](const char* step) {
    return Json::parse_file(path("run/checkpoint-00000") + step + "/trainer.json").at("settings").text("template-date");
  };
  setenv("TZ", "UTC+11", 1);
  const Outcome begun = eyrie(train + first);
  setenv("TZ", "UTC-11", 1);
  const Outcome resumed = eyrie(train + Arguments{"--resume", "--steps", "2"});
  unsetenv("TZ");
  EXPECT_EQ(begun.status, 0) << begun.error;
  EXPECT_EQ(resumed.status, 0) << resumed.error;
  EXPECT_EQ(date_at("2"), date_at("1"));
  EXPECT_EQ(unlike_failure(eyrie(train + Arguments{"--resume", "--steps", "3", "--template-date", "2024-07-26"}), 2,
                           "the run began with template-date = "),
            "");
}

}  // namespace
}  // namespace eyrie::e2e
