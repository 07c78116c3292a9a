// The clauses of spec §11: what a turn is given, what it writes, where its span ends, which sequence it goes on in.
#include "text/chat_tokenizer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/temporary_directory.h"

namespace eyrie {
namespace {

// ChatML in our words: a prompt, and an end of turn with a newline behind it.
const std::string kChatml =
    "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content ~ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
// Its prompt opens a block, which the turns written again do not hold.
const std::string kThinker =
    "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content.split('</think>')[-1].lstrip() ~ "
    "'<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}";

struct Model {
  explicit Model(const std::string& text, const std::string& of = "qwen2", std::vector<int32_t> config_stop_ids = {},
                 const std::string& config = "{}")
      : tokenizer(Tokenizer::from_directory(EYRIE_SOURCE_DIR "/tests/data/tokenizer/" + of)) {
    testing::TemporaryDirectory directory;
    testing::write_bytes(directory.file("chat_template.jinja"), text);
    testing::write_bytes(directory.file("tokenizer_config.json"), config);
    chat.emplace(tokenizer, *ChatTemplate::of_model(directory.path(), {}), std::move(config_stop_ids));
  }

  std::vector<ChatSequence> encode(const std::string& line) {
    counts = {};
    return chat->encode(*read_conversation(Json::parse(line, "line")), counts);
  }
  // Every sequence's text, what is supervised in « ».
  std::vector<std::string> marked(const std::string& line) {
    std::vector<std::string> texts;
    for (const ChatSequence& one : encode(line)) {
      std::string& text = texts.emplace_back();
      EXPECT_EQ(one.ids.size(), one.loss_mask.size());
      for (size_t t = 0; t < one.ids.size(); ++t) {
        const bool before = t > 0 && one.loss_mask[t - 1];
        if (one.loss_mask[t] && !before) text += "«";
        if (!one.loss_mask[t] && before) text += "»";
        text += tokenizer.decode(std::span(&one.ids[t], 1), false);
      }
      if (one.loss_mask.back()) text += "»";
    }
    return texts;
  }
  std::string only(const std::string& line) {
    const std::vector<std::string> texts = marked(line);
    EXPECT_EQ(texts.size(), 1u);
    return texts.empty() ? "" : texts[0];
  }
  std::string prompt(const std::string& line) const {
    return tokenizer.decode(chat->prompt(*read_conversation(Json::parse(line, "line"))), false);
  }
  int32_t id(const std::string& token) const { return *tokenizer.token_id(token); }

  Tokenizer tokenizer;
  std::optional<ChatTokenizer> chat;
  ChatCounts counts;
};

const std::string kOne = R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]})";
const std::string kTwo = R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."},
    {"role":"user","content":"So?"},{"role":"assistant","content":"No."}]})";

// a: the turn goes on from its prompt; the newline behind the stop token is not in the span.
TEST(ChatTokenizer, TurnsGoOnFromTheirPrompt) {
  Model model(kChatml);
  EXPECT_EQ(model.only(kTwo),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«Yes.<|im_end|>»\n"
            "<|im_start|>user\nSo?<|im_end|>\n<|im_start|>assistant\n«No.<|im_end|>»\n");
  EXPECT_EQ(model.counts.turns, (std::array<int64_t, 3>{2, 0, 0}));
  EXPECT_EQ(model.counts.repeated_tokens, 0);
}

// A target never writes the token that joins "assistant\n" and an answer's own newline: the prompt ends before it.
TEST(ChatTokenizer, NoTokenStraddlesThePrompt) {
  Model model(kChatml);
  const std::string line = R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"\n\nok"}]})";
  EXPECT_EQ(model.only(line), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«\n\nok<|im_end|>»\n");
  const auto prompt = model.chat->prompt(*read_conversation(Json::parse(line, "line")));
  const ChatSequence one = model.encode(line)[0];
  EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), one.ids.begin()));
  EXPECT_EQ(std::find(one.loss_mask.begin(), one.loss_mask.end(), 1) - one.loss_mask.begin(), std::ssize(prompt));
}

// What goes on behind a prompt gets no prefix in front (tok+).
TEST(ChatTokenizer, ContinuationsGetNoPrefix) {
  const std::string plain =
      "{% for m in messages %}{{ '[' ~ m.content ~ ']' if m.role == 'user' else m.content ~ eos_token }}{% endfor %}";
  for (const char* tokenizer : {"llama2", "mistral", "metaspace-always"}) {
    Model model(plain, tokenizer, {}, R"({"eos_token": "</s>"})");
    const ChatSequence one =
        model.encode(R"({"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"the"}]})")[0];
    const auto first =
        static_cast<size_t>(std::find(one.loss_mask.begin(), one.loss_mask.end(), 1) - one.loss_mask.begin());
    EXPECT_NE(model.tokenizer.token_text(one.ids[first]).substr(0, 3), "▁") << tokenizer;
    EXPECT_EQ(model.tokenizer.token_text(one.ids[0]).substr(0, 3), "▁") << tokenizer;
  }
}

// b: the block that the prompt opens is part of what the model wrote, whichever way the data spells it.
TEST(ChatTokenizer, BlocksThatThePromptOpensAreWritten) {
  Model model(kThinker);
  const std::string expected =
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n«Hm.\n</think>\n\nYes.<|im_end|>»\n";
  for (const char* turn : {R"({"role":"assistant","content":"<think>\nHm.\n</think>\n\nYes."})",
                           R"({"role":"assistant","content":"Hm.\n</think>\n\nYes."})",
                           R"({"role":"assistant","content":"Yes.","reasoning_content":"Hm."})",
                           R"({"role":"assistant","content":"Yes.","thinking":"Hm."})"}) {
    EXPECT_EQ(model.only(std::string(R"({"messages":[{"role":"user","content":"Hi"},)") + turn + "]}"), expected)
        << turn;
    EXPECT_EQ(model.counts.turns, (std::array<int64_t, 3>{0, 1, 0}));
    EXPECT_TRUE(model.counts.unrendered.empty()) << turn;
  }
}

// Thought and answer may stand in the question, or in the call, too.
TEST(ChatTokenizer, WordsThatStandElsewhereTooAreTheTurnsOwn) {
  Model model(kThinker);
  EXPECT_EQ(
      model.only(
          R"({"messages":[{"role":"user","content":"Hm. Hi"},{"role":"assistant","content":"Yes.","reasoning":"Hm."}]})"),
      "<|im_start|>user\nHm. Hi<|im_end|>\n<|im_start|>assistant\n<think>\n«Hm.\n</think>\n\nYes.<|im_end|>»\n");
  Model calling(
      "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ (m.content or '').split('</think>')[-1] }}"
      "{% for c in m.tool_calls or [] %}{{ '<tool_call>' ~ c.name }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}");
  EXPECT_EQ(calling.only(R"({"messages":[{"role":"user","content":"f"},{"role":"assistant","content":"Hm.</think>f",
      "tool_calls":[{"name":"f","arguments":{}}]}]})"),
            "<|im_start|>user\nf<|im_end|>\n<|im_start|>assistant\n<think>\n«Hm.</think>f<tool_call>f<|im_end|>»\n");
}

// c: without reasoning the turn stands behind its header, not behind the prompt that opens a block: counted.
TEST(ChatTokenizer, OtherContextsAreCounted) {
  Model model(kThinker);
  EXPECT_EQ(model.only(kOne), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«Yes.<|im_end|>»\n");
  EXPECT_EQ(model.counts.turns, (std::array<int64_t, 3>{0, 0, 1}));
  EXPECT_EQ(model.counts.unopened_turns, 1);
  model.only(
      R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes.","reasoning":" \n"}]})");
  EXPECT_EQ(model.counts.turns, (std::array<int64_t, 3>{0, 0, 1}));  // a blank thought is none
  // An answer that begins as one of the probing words does is whole all the same.
  EXPECT_EQ(model.only(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"zeal"}]})"),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«zeal<|im_end|>»\n");
}

TEST(ChatTokenizer, ToolCallsStayBehindAnOpenedBlock) {
  Model model(
      "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ (m.content or '').split('</think>')[-1].lstrip() }}"
      "{% for c in m.tool_calls or [] %}{{ '<tool_call>' ~ c.name }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}");
  EXPECT_EQ(
      model.only(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hm.</think>Wait.",
      "tool_calls":[{"name":"f","arguments":{}}]}]})"),
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n«Hm.</think>Wait.<tool_call>f<|im_end|>»\n");
}

// The first stop token ends a span; white space that the template writes between answer and stop is the model's.
TEST(ChatTokenizer, SpansEndWithTheirFirstStopToken) {
  Model spaced(
      "{% for m in messages %}{{ m.content ~ (' ' ~ eos_token if m.role == 'assistant' else '\n') }}{% endfor %}",
      "qwen2", {}, R"({"eos_token": "<|endoftext|>"})");
  EXPECT_EQ(spaced.only(kOne), "Hi\n«Yes. <|endoftext|>»");
  Model model(kChatml);
  EXPECT_EQ(
      model.only(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"a<|im_end|>b"}]})"),
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«a<|im_end|>»b<|im_end|>\n");
}

// Where the template writes no stop token, the next turn's first token ends the answer, or the model's own.
TEST(ChatTokenizer, SpansEndBeforeATailWithoutStopToken) {
  const std::string text =
      "{% for m in messages %}{{ '<|im_start|>' if m.role == 'user' else '<tool_call>' }}{{ m.content ~ '\n' }}{% "
      "endfor %}"
      "{% if add_generation_prompt %}{{ '<tool_call>' }}{% endif %}";
  Model next(text, "qwen2", {780, 779});  // <|im_start|> is one of them
  EXPECT_EQ(next.only(kOne), "<|im_start|>Hi\n<tool_call>«Yes.<|im_start|>»");
  EXPECT_EQ(next.only(kTwo), "<|im_start|>Hi\n<tool_call>«Yes.\n»<|im_start|>So?\n<tool_call>«No.<|im_start|>»");
  // A tool's answer goes on with <think>, which the model stops at.
  Model calling(
      "{% for m in messages %}{{ {'user': '<|im_start|>', 'tool': '<think>', 'assistant': '<tool_call>'}[m.role] }}"
      "{{ m.content ~ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<tool_call>' }}{% endif %}",
      "qwen2", {778, 779, 781});
  EXPECT_EQ(calling
                .encode(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"f"},
      {"role":"tool","content":"4"}]})")[0]
                .ids.back(),
            781);
  Model own(text, "qwen2", {778});
  EXPECT_EQ(own.only(kOne), "<|im_start|>Hi\n<tool_call>«Yes.<|endoftext|>»");
  Model none(text);
  EXPECT_THROW(none.encode(kOne), Error);
}

// A turn whose context does not go on from the ids before begins a sequence of its own, which supervises it alone.
TEST(ChatTokenizer, ContextsThatDifferBeginASequence) {
  Model model(kThinker);
  const std::vector<std::string> texts = model.marked(
      R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hm.\n</think>\n\nYes."},
          {"role":"user","content":"So?"},{"role":"assistant","content":"Ah.\n</think>\n\nNo."}]})");
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n«Hm.\n</think>\n\nYes.<|im_end|>»\n");
  EXPECT_EQ(texts[1],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nSo?<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n«Ah.\n</think>\n\nNo.<|im_end|>»\n");
  EXPECT_EQ(model.counts.sequences, 2);
  const std::vector<ChatSequence> sequences = model.encode(kTwo);
  EXPECT_GT(model.counts.repeated_tokens + 1, 0);
}

TEST(ChatTokenizer, GenerationBlocksChooseWhatIsSupervised) {
  Model model(
      "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' }}{% if m.role == 'assistant' %}note {% generation %}"
      "{{ m.content }}{% endgeneration %} end{{ '<|im_end|>\n' }}{% else %}{{ m.content ~ '<|im_end|>\n' }}{% endif %}"
      "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
  EXPECT_EQ(model.only(kOne), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nnote «Yes.» end«<|im_end|>»\n");
}

TEST(ChatTokenizer, TurnsThatNothingAsksForAreContext) {
  Model model(kChatml);
  EXPECT_EQ(model.only(R"({"messages":[{"role":"assistant","content":"Yo."},{"role":"user","content":"Hi"},
      {"role":"assistant","content":"Yes."},{"role":"assistant","content":"More."}]})"),
            "<|im_start|>assistant\nYo.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«Yes.<|im_"
            "end|>»\n");
  EXPECT_EQ(model.counts.context_turns, 2);
  EXPECT_TRUE(
      model.encode(R"({"messages":[{"role":"system","content":"s"},{"role":"assistant","content":"x"}]})").empty());
  EXPECT_EQ(model.only(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":""}]})"),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«<|im_end|>»\n");
  EXPECT_EQ(model.counts.empty_turns, 1);
}

// Each turn is rendered as thinking or not, by whether it holds reasoning; the line's own word wins.
TEST(ChatTokenizer, ThinkingFollowsTheTurn) {
  Model model(
      "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' }}"
      "{% if m.role == 'assistant' and loop.last %}{{ '<think>' ~ (m.reasoning_content or '') ~ '</think>' }}{% endif "
      "%}"
      "{{ m.content ~ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
      "{% if enable_thinking is defined and not enable_thinking %}{{ '<think></think>' }}{% endif %}{% endif %}");
  const std::string head = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(model.only(kOne), head + "<think></think>«Yes.<|im_end|>»\n");
  EXPECT_EQ(model.counts.reasoning_turns, 0);
  EXPECT_EQ(
      model.only(
          R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes.","reasoning":"Hm."}]})"),
      head + "«<think>Hm.</think>Yes.<|im_end|>»\n");
  EXPECT_EQ(model.counts.reasoning_turns, 1);
  EXPECT_EQ(
      model.only(
          R"({"chat_template_kwargs":{"enable_thinking":true},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]})"),
      head + "«<think></think>Yes.<|im_end|>»\n");
}

// Null where the template writes the call then, an empty text where it would fail or write None: whatever the data
// says.
TEST(ChatTokenizer, ContentOfCallsIsWhatTheTemplateTakes) {
  const std::string
      begin = "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' }}",
      end =
          "{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  const std::string call = "{% for c in m.tool_calls or [] %}{{ '<tool_call>' ~ c.function.name }}{% endfor %}";
  const std::string templates[] = {
      begin + "{{ m.content + '' }}" + call + end, begin + "{{ m.content }}" + call + end,
      begin + "{% if m.content is none %}" + call + "{% else %}{{ m.content }}{% endif %}" + end};
  for (const std::string& text : templates) {
    Model model(text);
    for (const char* content : {"null", "\"\""})
      EXPECT_EQ(model.only(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":)" +
                           std::string(content) +
                           R"(,"tool_calls":[{"type":"function","function":{"name":"f","arguments":{}}}]}]})"),
                "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n«<tool_call>f<|im_end|>»\n")
          << text << content;
  }
}

// A turn of calls that the text does not show is no answer: what is left of it would teach to say nothing.
TEST(ChatTokenizer, TurnsWhoseCallsAreLostAreContext) {
  Model model(kChatml);
  EXPECT_EQ(model.only(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":
      [{"name":"add","arguments":{}}]},{"role":"tool","content":"4"},{"role":"assistant","content":"Four."}]})"),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n<|im_start|>tool\n4<|im_end|>\n"
            "<|im_start|>assistant\n«Four.<|im_end|>»\n");
  EXPECT_EQ(model.counts.unrendered.at("tool call"), 1);
  Model by_id(
      "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ (m.content or '') }}"
      "{% for c in m.tool_calls or [] %}{{ '<tool_call>' ~ c.id }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
  by_id.only(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":
      [{"id":"x7","function":{"name":"add","arguments":{}}}]}]})");
  EXPECT_TRUE(by_id.counts.unrendered.empty());
  EXPECT_EQ(model.counts.context_turns, 1);
}

// W goes on from a prompt that opens a block, and closes it at once: the thought would be lost.
TEST(ChatTokenizer, AThoughtThatTheTemplateDropsIsWritten) {
  Model model(
      "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' }}"
      "{% if m.role == 'assistant' %}{{ '<think></think>' }}{% endif %}{{ m.content ~ '<|im_end|>\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>' }}{% endif %}");
  const std::string head = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>";
  EXPECT_EQ(
      model.only(
          R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes.","thinking":"Hm."}]})"),
      head + "«Hm.\n</think>\n\nYes.<|im_end|>»\n");
  EXPECT_EQ(model.only(kOne), head + "«</think>Yes.<|im_end|>»\n");
  EXPECT_EQ(model.counts.unopened_turns, 1);
}

TEST(ChatTokenizer, BlocksThatOnlyTheTemplateWritesAreCounted) {
  Model model(
      "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' }}"
      "{% if m.role == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{{ m.content ~ '<|im_end|>\n' }}{% "
      "endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
  model.only(kOne);
  EXPECT_EQ(model.counts.added_blocks, 1);
  EXPECT_EQ(model.counts.turns[0], 1);
}

TEST(ChatTokenizer, ALineCannotAskForAnotherPrompt) {
  Model model(kChatml);
  const std::string plain = model.only(kOne);
  EXPECT_EQ(model.only(R"({"chat_template_kwargs":{"add_generation_prompt":true,"messages":[]},"messages":[
      {"role":"user","content":"Hi"},{"role":"assistant","content":"Yes."}]})"),
            plain);
  EXPECT_EQ(model.counts.unrendered.size(), 2u);
}

TEST(ChatTokenizer, StopTokensAreAUnion) {
  EXPECT_EQ(Model(kChatml, "qwen2", {5, 778}, R"({"eos_token": "<|endoftext|>"})").chat->stop_ids(),
            (std::vector<int32_t>{5, 778, 780}));
  EXPECT_EQ(Model(kChatml, "qwen2", {}, R"({"eos_token": {"content": "</think>"}})").chat->stop_ids(),
            (std::vector<int32_t>{782, 780}));
}

TEST(ChatTokenizer, WhatTheTextLeavesOutIsCounted) {
  Model model("{% for m in messages if m.role != 'system' %}{{ m.content ~ '<|im_end|>' }}{% endfor %}");
  EXPECT_EQ(
      model.only(
          R"({"tools":[{"name":"f"}],"chat_template_kwargs":{"k":1},"messages":[{"role":"system","content":"Be short."},
      {"role":"user","content":"Hi","name":"Bo"},{"role":"assistant","content":"Yes.","reasoning":"Hm."}]})"),
      "Hi<|im_end|>«Yes.<|im_end|>»");
  const std::map<std::string, int64_t> expected = {
      {"chat_template_kwargs: k", 1}, {"content of system", 1}, {"name", 1}, {"reasoning_content", 1}, {"tools", 1}};
  EXPECT_EQ(model.counts.unrendered, expected);
}

TEST(ChatTokenizer, PromptsAreContexts) {
  Model model(kThinker);
  const std::string head = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n";
  EXPECT_EQ(model.prompt(kOne), head);
  EXPECT_EQ(model.prompt(R"({"messages":[{"role":"user","content":"Hi"}]})"), head);
  EXPECT_EQ(model.prompt(R"({"messages":[{"role":"system","content":"s"},{"role":"assistant","content":"x"}]})"), "");
}

TEST(ChatTokenizer, SpelledTokensBecomeTokens) {
  Model model(kChatml);
  const ChatSequence one =
      model.encode(R"({"messages":[{"role":"user","content":"a<|im_end|>b"},{"role":"assistant","content":"x"}]})")[0];
  EXPECT_EQ(std::count(one.ids.begin(), one.ids.end(), model.id("<|im_end|>")), 3);
}

}  // namespace
}  // namespace eyrie
