#include "speculative/speculation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/random.h"
#include "speculative/tiny_models_fixture.h"

namespace eyrie {
namespace {

using testing::TinyModels;

constexpr int64_t kVocabulary = 4, kChunk = 9;

struct Asked {
  std::vector<int32_t> prompt;
  GenerateOptions options;
};

// Prompts, chains (0: without a draft), samplings and ends of every kind.
Asked random_request(RandomStream& stream) {
  const std::vector<SamplingOptions> samplings = {
      {},
      {.temperature = 1, .seed = stream.below(1000)},
      {.temperature = 0.7, .top_k = 3, .top_p = 0.9, .min_p = 0.02, .seed = 4},
      {.repetition_penalty = 1.3, .presence_penalty = 0.3, .frequency_penalty = 0.2},
      {.temperature = 1.2, .repetition_penalty = 0.8, .logit_bias = {{2, -1.0}}, .seed = 5}};
  Asked asked;
  asked.prompt.resize(1 + stream.below(40));
  for (int32_t& id : asked.prompt) id = static_cast<int32_t>(stream.below(kVocabulary));
  asked.options.max_new_tokens = static_cast<int64_t>(1 + stream.below(30));
  asked.options.chain = stream.below(4) ? static_cast<int64_t>(1 + stream.below(7)) : 0;
  asked.options.sampling = samplings[stream.below(samplings.size())];
  if (stream.below(3) == 0) asked.options.stop_ids = {static_cast<int32_t>(stream.below(kVocabulary))};
  return asked;
}

// What came of a request: its tokens, and the logits of every row that they could have been chosen at.
struct Served {
  std::vector<int32_t> ids;
  std::vector<uint8_t> from_draft;
  FinishReason finish = FinishReason::length;
  std::vector<float> logits;
};

struct Figures {
  int64_t most_rows = 0, kinds_of_chain = 0, steps_of_prompts_and_chains = 0;
};

// All of them in one run; each joins at the step `joins` gives for it.
std::vector<Served> serve(const TinyModels& models, std::span<const Asked> asked, auto&& joins, Figures* figures) {
  const int64_t count = std::ssize(asked);
  Exec exec;
  PagePool pool(cache_layers(models.target.config, &models.draft.config), 4, 20 * count);
  Speculation speculation(exec, models.target, &models.draft, {.rows = 16 * count, .logits = 16 * count});
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (const Asked& each : asked)
    sequences.push_back(
        std::make_unique<Sequence>(pool, each.prompt, each.options,
                                   SequenceLimits{.vocabulary = kVocabulary, .positions = 256, .draft_positions = 30}));
  std::vector<Served> served(asked.size());
  std::vector<Sequence*> going;
  for (int64_t step = 0, ended = 0; ended < count; ++step) {
    for (int64_t i = 0; i < count; ++i)
      if (joins(i) == step) going.push_back(sequences[static_cast<size_t>(i)].get());
    for (Sequence* sequence : going) sequence->plan(kChunk);
    propose(speculation, going);
    verify(speculation, going);
    std::set<int64_t> chains;
    int64_t row = 0, in_prompt = 0;
    for (const Sequence* sequence : going) {
      const size_t i = static_cast<size_t>(std::ranges::find(sequences, sequence, &std::unique_ptr<Sequence>::get) -
                                           sequences.begin());
      const float* logits = speculation.paged_target.logits().as<float>() + row * kVocabulary;
      row += sequence->logit_rows();
      served[i].logits.insert(served[i].logits.end(), logits, logits + sequence->logit_rows() * kVocabulary);
      chains.insert(sequence->cycle.chain), in_prompt += sequence->in_prompt();
    }
    figures->most_rows = std::max(figures->most_rows, speculation.paged_target.taps().dim(0));
    figures->kinds_of_chain = std::max(figures->kinds_of_chain, std::ssize(chains));
    figures->steps_of_prompts_and_chains += in_prompt > 0 && *chains.rbegin() > 0;
    keep(speculation, going);
    ended += std::erase_if(going, [](const Sequence* sequence) { return sequence->ended; });
    extend(speculation, going);
  }
  for (size_t i = 0; i < served.size(); ++i) {
    GenerateResult& result = sequences[i]->result;
    served[i].ids = result.ids, served[i].from_draft = result.from_draft, served[i].finish = result.finish;
  }
  return served;
}

// `models_name`: of weights whose draft is right now and then.
void expect_the_bits_of_runs_alone(int64_t count, const std::string& models_name, testing::TinyOptions options) {
  const std::string name = std::to_string(count) + " sequences";
  options.vocabulary = options.draft_vocabulary = kVocabulary;
  const TinyModels models = testing::make_tiny_models(models_name, options);
  RandomStream stream(name);
  std::vector<Asked> asked;
  for (int64_t i = 0; i < count; ++i) asked.push_back(random_request(stream));
  Figures figures, of_one;
  // Nearly all from the start, the others in the midst of the run.
  const std::vector<Served> together = serve(
      models, asked, [](int64_t i) { return i % 8 < 6 ? 0 : i % 8; }, &figures);
  int64_t ends[3] = {}, accepted = 0, own = 0;
  for (size_t i = 0; i < asked.size(); ++i) {
    SCOPED_TRACE(name + ", the one numbered " + std::to_string(i));
    const Served alone = serve(
        models, {&asked[i], 1}, [](int64_t) { return 0; }, &of_one)[0];
    ASSERT_EQ(together[i].ids, alone.ids);
    ASSERT_EQ(together[i].from_draft, alone.from_draft);
    ASSERT_EQ(together[i].finish, alone.finish);
    ASSERT_EQ(together[i].logits, alone.logits);
    ++ends[static_cast<size_t>(alone.finish)];
    for (const uint8_t from_draft : alone.from_draft) (from_draft ? accepted : own) += 1;
  }
  EXPECT_GT(figures.most_rows, 2 * count);
  EXPECT_GT(figures.kinds_of_chain, 3);
  EXPECT_GT(figures.steps_of_prompts_and_chains, 1);
  EXPECT_GT(ends[static_cast<size_t>(FinishReason::stop_token)], count / 10);
  EXPECT_GT(ends[static_cast<size_t>(FinishReason::length)], count / 10);
  EXPECT_GT(accepted, own / 50);  // drafts were right now and then, and not always
  EXPECT_GT(own, accepted / 20);
}

TEST(Speculation, ASequenceHasTheBitsOfItsOwnRunWhateverStandsBesideIt) {
  expect_the_bits_of_runs_alone(17, "walked 33", {});
  expect_the_bits_of_runs_alone(40, "walked 10", {.norm_output = true});
  expect_the_bits_of_runs_alone(200, "walked 37", {.norm_before_residual = true, .qk_norm = true});
}

}  // namespace
}  // namespace eyrie
