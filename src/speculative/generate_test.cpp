#include "speculative/generate.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "speculative/teacher_forced.h"
#include "speculative/tiny_models_fixture.h"

namespace eyrie {
namespace {

using testing::TinyModels;

std::vector<int32_t> random_prompt(std::string_view name, int64_t length, int64_t vocabulary) {
  RandomStream stream(name);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < length; ++i)
    ids.push_back(static_cast<int32_t>(stream.below(static_cast<uint64_t>(vocabulary))));
  return ids;
}

// Letters for tokens: 0 is 'a'.
TextStream letters(std::string* streamed = nullptr) {
  TextStream text;
  text.decode = [](int32_t token) { return std::string(1, static_cast<char>('a' + token)); };
  text.finish = [] { return std::string(); };
  if (streamed) text.write = [streamed](std::string_view bytes) { *streamed += bytes; };
  return text;
}

const std::vector<SamplingOptions> kSamplings = {
    {},
    {.temperature = 1, .seed = 3},
    {.temperature = 0.7, .top_k = 4, .top_p = 0.9, .min_p = 0.02, .seed = 4},
    {.repetition_penalty = 1.3, .presence_penalty = 0.3, .frequency_penalty = 0.2},
    {.temperature = 1.2, .repetition_penalty = 0.8, .logit_bias = {{2, -1.0}}, .seed = 5}};

void expect_consistent(const GenerateResult& result, int64_t chain) {
  ASSERT_EQ(result.from_draft.size(), result.ids.size());
  EXPECT_EQ(result.from_draft[0], 0);
  EXPECT_EQ(result.accepted.tokens(), static_cast<int64_t>(result.ids.size()) - 1);
  EXPECT_LE(result.accepted.steps_by_tokens.size(), static_cast<size_t>(chain) + 2);
  const auto from_draft = std::count(result.from_draft.begin(), result.from_draft.end(), 1);
  const int64_t own = result.accepted.tokens() - from_draft;  // one per step, but for an end on an accepted draft
  EXPECT_TRUE(own == result.accepted.verify_steps() || own == result.accepted.verify_steps() - 1);
}

TEST(Generate, SameIdsWithAndWithoutADraft) {
  TinyModels models = testing::make_tiny_models("same ids", {.vocabulary = 7, .draft_vocabulary = 5});
  Exec exec;
  int64_t accepted = 0, cycles = 0;
  const std::vector<std::pair<int64_t, GeneratorOptions>> cases = {{1, {.page_size = 5, .prefill_chunk = 64}},
                                                                   {2, {.page_size = 1, .prefill_chunk = 1}},
                                                                   {17, {.page_size = 16, .prefill_chunk = 64}},
                                                                   {40, {.page_size = 3, .prefill_chunk = 7}}};
  for (const auto& [length, cache] : cases) {
    Generator plain(exec, models.target, nullptr, cache), with_draft(exec, models.target, &models.draft, cache);
    const std::vector<int32_t> prompt = random_prompt("prompt" + std::to_string(length), length, 7);
    for (const SamplingOptions& sampling : kSamplings) {
      GenerateOptions options{.max_new_tokens = 30, .sampling = sampling};
      const GenerateResult expected = plain.generate(prompt, options);
      ASSERT_EQ(expected.ids.size(), 30u);
      ASSERT_EQ(expected.accepted.accept_length(), 1);
      for (const int64_t chain : {0, 1, 2, 3, 4, 5, 6, 7, 15}) {
        options.chain = chain;
        const GenerateResult found = with_draft.generate(prompt, options);
        ASSERT_EQ(found.ids, expected.ids) << "chain " << chain << " prompt " << length;
        expect_consistent(found, chain);
        accepted += found.accepted.tokens() - found.accepted.verify_steps(), cycles += found.accepted.verify_steps();
        ASSERT_EQ(with_draft.pool()->free(), with_draft.pool()->total());
      }
    }
  }
  EXPECT_GT(accepted, cycles / 20);  // drafts were accepted, and not all of them
  EXPECT_GT(cycles, accepted / 20);
}

TEST(Generate, IdsDoNotDependOnPagesOrChunks) {
  TinyModels models = testing::make_tiny_models("pages and chunks", {.vocabulary = 50, .draft_vocabulary = 50});
  Exec exec;
  const std::vector<int32_t> prompt = random_prompt("a prompt", 37, 50);
  const GenerateOptions options{.max_new_tokens = 60, .sampling = {.temperature = 1, .seed = 11}};
  const GenerateResult expected = Generator(exec, models.target, &models.draft).generate(prompt, options);
  for (const int64_t page_size : {1, 7, 64})
    for (const int64_t chunk : {1, 2, 16, 36, 37}) {
      Generator generator(exec, models.target, &models.draft, {.page_size = page_size, .prefill_chunk = chunk});
      EXPECT_EQ(generator.generate(prompt, options).ids, expected.ids);
    }
}

// Each greedy token is the packed forward's choice at its place (up to rounding between equals).
TEST(Generate, GreedyTokensAreTheTargetsOwnChoices) {
  TinyModels models = testing::make_tiny_models("own choices", {.vocabulary = 50, .draft_vocabulary = 50});
  Exec exec;
  std::vector<int32_t> ids = random_prompt("some prompt", 9, 50);
  const GenerateResult result = Generator(exec, models.target, &models.draft).generate(ids, {.max_new_tokens = 80});
  ids.insert(ids.end(), result.ids.begin(), result.ids.end());
  const auto tokens = static_cast<int64_t>(ids.size());
  const std::vector<int32_t> offsets = {0, static_cast<int32_t>(tokens)};
  Buffer hidden(DType::f32, {tokens, 16}), logits(DType::f32, {tokens, 50});
  HostArrays arrays;
  forward_packed(exec, arrays, models.target, {ids, offsets}, {}, Tensor(), hidden);
  target_logits(exec, models.target, hidden, logits);
  for (int64_t t = 9; t < tokens; ++t) {
    const float* row = logits.tensor().as<float>() + (t - 1) * 50;
    EXPECT_GE(row[ids[static_cast<size_t>(t)]], *std::max_element(row, row + 50) - 1e-4f) << "token " << t;
  }
}

// Spec §3: the walked accept length of a text the target made is the served one; one walk at depth 7 gives every chain.
TEST(Generate, WalkedEqualsServedForEveryChain) {
  AcceptStatistics all;
  for (const std::string name : {"walked 10", "walked 33", "walked 37"}) {
    TinyModels models =
        testing::make_tiny_models(name, {.vocabulary = 4, .draft_vocabulary = 4, .norm_output = name == "walked 10"});
    Exec exec;
    Generator generator(exec, models.target, &models.draft);
    for (const SamplingOptions& sampling : kSamplings)
      for (const int64_t length : {1, 20}) {
        GenerateOptions options{.max_new_tokens = 40, .sampling = sampling};
        if (length == 20) options.stop_ids = {3};
        std::vector<int32_t> ids = random_prompt("walked prompt", length, 4);
        const GenerateResult text = generator.generate(ids, options);
        ids.insert(ids.end(), text.ids.begin(), text.ids.end());
        const std::vector<int32_t> right =
            right_depths(exec, models.target, models.draft, {.ids = ids, .first_row = length - 1, .depths = 7});
        ASSERT_EQ(right.size(), text.ids.size() - 1);
        for (options.chain = 1; options.chain <= 7; ++options.chain) {
          const auto served = generator.generate(std::span(ids).first(static_cast<size_t>(length)), options);
          EXPECT_EQ(walk_span(right, options.chain).steps_by_tokens, served.accepted.steps_by_tokens)
              << name << " chain " << options.chain;
          all.add(served.accepted);
        }
      }
  }
  EXPECT_GT(all.accept_length(), 1.3);  // drafts were right now and then, and not always
  EXPECT_LT(all.accept_length(), 4.5);
}

TEST(Generate, StopsAtTokensAndStringsAlikeWithAndWithoutADraft) {
  TinyModels models = testing::make_tiny_models("stops");
  Exec exec;
  Generator generator(exec, models.target, &models.draft);
  const std::vector<int32_t> prompt = random_prompt("stop prompt", 5, 6);
  int ends[3] = {};
  for (uint64_t seed = 0; seed < 40; ++seed) {
    std::string streamed;
    GenerateOptions options{.max_new_tokens = static_cast<int64_t>(1 + seed % 13),
                            .chain = 0,
                            .sampling = {.temperature = 1, .seed = seed},
                            .stop_ids = {5},
                            .stop_strings = {"ab", "ddd", "ca"},
                            .text = letters(&streamed)};
    const GenerateResult plain = generator.generate(prompt, options);
    EXPECT_EQ(streamed, plain.text);
    ++ends[static_cast<int>(plain.finish)];
    std::string all;
    for (const int32_t id : plain.ids) all += static_cast<char>('a' + id);
    if (plain.finish == FinishReason::stop_string) {
      EXPECT_TRUE(all.ends_with("ab") || all.ends_with("ddd") || all.ends_with("ca")) << all;
      EXPECT_TRUE(all.starts_with(plain.text) && plain.text.size() < all.size());
    } else {
      EXPECT_EQ(plain.text, all);
      EXPECT_EQ(plain.finish == FinishReason::stop_token, plain.ids.back() == 5);
    }
    for (const int64_t chain : {1, 4, 7}) {
      streamed.clear();
      options.chain = chain;
      const GenerateResult found = generator.generate(prompt, options);
      EXPECT_EQ(found.ids, plain.ids);
      EXPECT_EQ(found.text, plain.text);
      EXPECT_EQ(streamed, plain.text);
      EXPECT_EQ(found.finish, plain.finish);
      expect_consistent(found, chain);
    }
  }
  for (const int count : ends) EXPECT_GT(count, 2);
}

TEST(Generate, EndsAtTheTargetsPositionsAndGoesOnBeyondTheDrafts) {
  TinyModels models = testing::make_tiny_models("positions", {.max_positions = 50, .draft_max_positions = 30});
  Exec exec;
  Generator plain(exec, models.target, nullptr), with_draft(exec, models.target, &models.draft);
  for (const int64_t length : {1, 10, 28, 29, 30, 31, 45, 50}) {
    const std::vector<int32_t> prompt = random_prompt("long prompt", length, 6);
    const GenerateResult expected = plain.generate(prompt, {.max_new_tokens = 1000});
    EXPECT_EQ(static_cast<int64_t>(expected.ids.size()), 51 - length);  // the last token needs no row
    EXPECT_EQ(expected.finish, FinishReason::length);
    for (const int64_t chain : {1, 4, 7})
      EXPECT_EQ(with_draft.generate(prompt, {.max_new_tokens = 1000, .chain = chain}).ids, expected.ids);
  }
}

TEST(Generate, BadRequestsFailAloneAndNothingLeaks) {
  TinyModels models = testing::make_tiny_models("bad requests", {.max_positions = 40});
  Exec exec;
  Generator generator(exec, models.target, &models.draft);
  const std::vector<int32_t> prompt = {1, 2, 3};
  const GenerateResult expected = generator.generate(prompt, {.max_new_tokens = 20});
  const std::vector<std::pair<std::vector<int32_t>, GenerateOptions>> bad = {{{}, {}},
                                                                             {{1, 6}, {}},
                                                                             {{-1}, {}},
                                                                             {std::vector<int32_t>(41, 1), {}},
                                                                             {prompt, {.chain = 16}},
                                                                             {prompt, {.chain = -1}},
                                                                             {prompt, {.max_new_tokens = 0}},
                                                                             {prompt, {.stop_strings = {"x"}}},
                                                                             {prompt, {.sampling = {.top_p = 2}}}};
  for (const auto& [ids, options] : bad) EXPECT_THROW(generator.generate(ids, options), Error);
  GenerateOptions failing{.text = letters()};
  failing.text.write = [](std::string_view) { throw Error(ErrorKind::interrupted, "", "stop"); };
  EXPECT_THROW(generator.generate(prompt, failing), Error);
  EXPECT_EQ(generator.pool()->free(), generator.pool()->total());
  EXPECT_EQ(generator.generate(prompt, {.max_new_tokens = 20}).ids, expected.ids);

  models.draft.config.target_hidden = 5;
  EXPECT_THROW(Generator(exec, models.target, &models.draft), Error);
}

TEST(Generate, ScratchStopsGrowing) {
  TinyModels models = testing::make_tiny_models("scratch");
  Exec exec;
  Generator generator(exec, models.target, &models.draft);
  const std::vector<int32_t> prompt = random_prompt("scratch prompt", 30, 6);
  generator.generate(prompt, {.max_new_tokens = 50});
  const int64_t growths = exec.scratch.growths();
  generator.generate(prompt, {.max_new_tokens = 100, .sampling = {.temperature = 1}});
  EXPECT_EQ(exec.scratch.growths(), growths);
}

}  // namespace
}  // namespace eyrie
