#include "model/draft.h"

#include <gtest/gtest.h>

#include <numeric>

#include "attention/suffix_attention_reference.h"
#include "model/draft_problem_cases.h"
#include "testing/compare.h"

namespace eyrie {
namespace {

using Complex = std::complex<double>;
using Reference = DraftReference<Complex>;
using testing::compare;

std::vector<DraftVariant> variants() {
  return {{.name = "plain"},
          {.name = "one-row", .rows = 1},
          {.name = "many-rows", .rows = 19},
          {.name = "fc-norm", .fc_norm = true},
          {.name = "norm-before-fc", .norm_before_fc = true},
          {.name = "norm-before-residual", .norm_before_residual = true},
          {.name = "norm-output", .norm_output = true},
          {.name = "biases", .norm_before_residual = true, .biases = true, .rows = 17},
          {.name = "qk-norm", .qk_norm = true},
          {.name = "qk-norm-and-others", .norm_before_residual = true, .biases = true, .qk_norm = true, .rows = 17},
          {.name = "bf16", .rows = 3, .weights = DType::bf16},
          {.name = "f16", .fc_norm = true, .rows = 18, .weights = DType::f16}};
}

void expect_passed(const testing::Comparison& comparison) { EXPECT_TRUE(comparison.passed()) << comparison.text(); }

void expect_equal(const std::string& name, const ConstTensor& found, const std::vector<double>& expected) {
  expect_passed(compare(name, found, expected));
}

class DraftPieces : public ::testing::TestWithParam<DraftVariant> {
 protected:
  DraftPieces()
      : problem("DraftPieces/" + GetParam().name, GetParam()), config(problem.config), layer(config.decoder) {}
  ~DraftPieces() override {
    for (const auto& broken : problem.memory.broken_guards()) ADD_FAILURE() << broken.text();
  }

  int64_t rows() const { return GetParam().rows; }
  Tensor out(const std::string& name, const Shape& shape) { return problem.memory.output(name, shape); }
  Tensor cotangent(const std::string& name, const Shape& shape) { return problem.memory.normal("d_" + name, shape); }
  Tensor heads(const std::string& name, int64_t count) { return out(name, {rows(), count, layer.head_dim}); }

  // Gradients that already hold something, so that overwriting shows.
  Parameters filled_gradients() {
    Parameters made = make_parameters(config);
    for_each_tensor(config, made.tensors, [&](const std::string& name, const Shape& shape, const Tensor& tensor) {
      copy(problem.memory.normal("held." + name, shape), tensor);
    });
    return made;
  }

  // Every tensor's gradient is what it held plus the loss's; by complex step, zero where the loss does not reach.
  void expect_gradients(const Parameters& found, const std::function<Complex(const Reference&)>& loss) {
    for_each_tensor(config, found.tensors, [&](const std::string& name, const Shape& shape, const Tensor& tensor) {
      std::vector<double> expected = problem.gradient(name, loss);
      const std::vector<double> held = testing::to_doubles(problem.memory.normal("held." + name, shape));
      for (size_t i = 0; i < expected.size(); ++i) expected[i] += held[i];
      expect_equal("grad." + name, tensor, expected);
    });
  }

  static Complex dot(const std::vector<double>& weights, const std::vector<Complex>& values) {
    Complex total = 0;
    for (size_t i = 0; i < weights.size(); ++i) total += weights[i] * values[i];
    return total;
  }

  Exec exec;
  DraftProblem problem;
  const DraftConfig& config;
  const DecoderConfig& layer;
};

TEST_P(DraftPieces, Fc) {
  const Tensor h = out("h0", {rows(), layer.hidden});
  const ConstTensor read = fc(exec, problem.draft, problem.taps, h);
  expect_equal("h", h, problem.reference<double>().fc());
  if (GetParam().weights != DType::f32) return;
  const Tensor d_h = cotangent("h", h.shape);
  const std::vector<double> weights = testing::to_doubles(d_h);
  const Parameters gradients = filled_gradients();
  fc_backward(exec, problem.draft, problem.taps, read, d_h, gradients.tensors);
  expect_gradients(gradients, [&](const Reference& r) { return dot(weights, r.fc()); });
}

TEST_P(DraftPieces, DepthInput) {
  const Tensor x = out("x0", {rows(), layer.input_width});
  const ConstTensor residual = depth_input(exec, problem.draft, {problem.token_ids, problem.h, x});
  const auto reference = problem.reference<double>();
  expect_equal("x", x, reference.x());
  expect_equal("residual", residual, reference.residual());
  if (GetParam().weights != DType::f32) return;
  const Tensor d_x = cotangent("x", x.shape), d_residual = cotangent("residual", residual.shape);
  const Tensor d_h = out("d_h", problem.h.shape);
  const Parameters gradients = filled_gradients();
  depth_input_backward(exec, problem.draft, {problem.token_ids, problem.h, d_x, d_residual, d_h}, gradients.tensors);
  const auto of_x = testing::to_doubles(d_x), of_residual = testing::to_doubles(d_residual);
  const auto loss = [&](const Reference& r) { return dot(of_x, r.x()) + dot(of_residual, r.residual()); };
  expect_equal("d_h", d_h, problem.gradient("h", loss));
  expect_gradients(gradients, loss);
}

TEST_P(DraftPieces, BeforeAttention) {
  const Tensor q = heads("q", layer.q_heads), k = heads("k", layer.kv_heads), v = heads("v", layer.kv_heads);
  const Tensor raw_q = config.decoder.qk_norm ? heads("raw_q", layer.q_heads) : Tensor();
  const Tensor raw_k = config.decoder.qk_norm ? heads("raw_k", layer.kv_heads) : Tensor();
  before_attention(exec, layer, problem.draft.tensors.layer, problem.draft.rope,
                   {problem.x, problem.positions, q, k, v, raw_q, raw_k});
  const auto reference = problem.reference<double>();
  expect_equal("q", q, reference.q(reference.at("x")));
  expect_equal("k", k, reference.k(reference.at("x")));
  expect_equal("v", v, reference.v(reference.at("x")));
  if (GetParam().weights != DType::f32) return;
  const Tensor d_q = cotangent("q", q.shape), d_k = cotangent("k", k.shape), d_v = cotangent("v", v.shape);
  const auto of_q = testing::to_doubles(d_q), of_k = testing::to_doubles(d_k), of_v = testing::to_doubles(d_v);
  const auto loss = [&](const Reference& r) {
    return dot(of_q, r.q(r.at("x"))) + dot(of_k, r.k(r.at("x"))) + dot(of_v, r.v(r.at("x")));
  };
  const Tensor d_x = problem.memory.normal("held.x", problem.x.shape);  // accumulated
  std::vector<double> expected = problem.gradient("x", loss);
  const std::vector<double> held = testing::to_doubles(d_x);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += held[i];
  const Parameters gradients = filled_gradients();
  before_attention_backward(exec, layer, problem.draft.tensors.layer, problem.draft.rope,
                            {problem.x, problem.positions, d_q, d_k, d_v, d_x, raw_q, raw_k, Into::accumulate},
                            gradients.tensors.layer);
  expect_equal("d_x", d_x, expected);
  expect_gradients(gradients, loss);
}

TEST_P(DraftPieces, BeforeAttentionOnlyWhatIsAskedFor) {
  const Tensor q = heads("q", layer.q_heads), k = heads("k", layer.kv_heads), v = heads("v", layer.kv_heads);
  const auto& tensors = problem.draft.tensors.layer;
  before_attention(exec, layer, tensors, problem.draft.rope, {problem.x, problem.positions, q, {}, {}});
  before_attention(exec, layer, tensors, problem.draft.rope, {problem.x, problem.positions, {}, k, v});
  const Tensor q2 = heads("q2", layer.q_heads), k2 = heads("k2", layer.kv_heads), v2 = heads("v2", layer.kv_heads);
  before_attention(exec, layer, tensors, problem.draft.rope, {problem.x, problem.positions, q2, k2, v2});
  expect_passed(testing::compare_bits("q", q, q2));
  expect_passed(testing::compare_bits("k", k, k2));
  expect_passed(testing::compare_bits("v", v, v2));
}

TEST_P(DraftPieces, AfterAttention) {
  const Tensor h2 = out("h2", problem.h.shape);
  const AfterAttentionSaved saved = take_after_attention(exec, layer, rows());
  after_attention(exec, layer, problem.draft.tensors.layer, {problem.h, problem.attention, h2}, saved);
  const auto reference = problem.reference<double>();
  expect_equal("h2", h2, reference.h2(reference.at("h"), reference.at("attention")));
  if (GetParam().weights != DType::f32) return;
  const Tensor d_h2 = cotangent("h2", h2.shape), d_h = out("d_h", h2.shape);
  const Tensor d_attention = out("d_attention", problem.attention.shape);
  const Parameters gradients = filled_gradients();
  after_attention_backward(exec, layer, problem.draft.tensors.layer, saved, {problem.attention, d_h2, d_h, d_attention},
                           gradients.tensors.layer);
  const auto of_h2 = testing::to_doubles(d_h2);
  const auto loss = [&](const Reference& r) { return dot(of_h2, r.h2(r.at("h"), r.at("attention"))); };
  expect_equal("d_h", d_h, problem.gradient("h", loss));
  expect_equal("d_attention", d_attention, problem.gradient("attention", loss));
  expect_gradients(gradients, loss);
}

TEST_P(DraftPieces, AfterAttentionInPlace) {
  const Tensor h2 = out("h2", problem.h.shape), in_place = out("in_place", problem.h.shape);
  copy(problem.h, in_place);
  const auto& tensors = problem.draft.tensors.layer;
  const AfterAttentionSaved saved = take_after_attention(exec, layer, rows());
  after_attention(exec, layer, tensors, {problem.h, problem.attention, h2}, saved);
  after_attention(exec, layer, tensors, {in_place, problem.attention, in_place}, saved);
  expect_passed(testing::compare_bits("h2", in_place, h2));
}

TEST_P(DraftPieces, DepthOutput) {
  const Tensor h2 = problem.memory.normal("h", problem.h.shape), normed = out("normed", h2.shape);
  const Tensor state = depth_output(exec, problem.draft, h2, normed);
  const auto reference = problem.reference<double>();
  expect_equal("normed", normed, reference.norm(reference.at("h"), "norm"));
  EXPECT_EQ(state.data, config.norm_output ? normed.data : h2.data);
  if (GetParam().weights != DType::f32) return;
  const Tensor d_normed = cotangent("normed", h2.shape), d_state = cotangent("state", h2.shape);
  const auto of_normed = testing::to_doubles(d_normed), of_state = testing::to_doubles(d_state);
  const auto loss = [&](const Reference& r) {
    const auto made = r.norm(r.at("h"), "norm");
    return dot(of_normed, made) + dot(of_state, config.norm_output ? made : r.at("h"));
  };
  const Parameters gradients = filled_gradients();
  const Tensor d_h2 = depth_output_backward(exec, problem.draft, {h2, d_normed, d_state}, gradients.tensors);
  expect_equal("d_h2", d_h2, problem.gradient("h", loss));
  expect_gradients(gradients, loss);
}

// The whole depth, its rows one packed sequence.
TEST_P(DraftPieces, Depth) {
  const Tensor written = out("h2", problem.h.shape), normed = out("normed", problem.h.shape);
  const Tensor logits = out("logits", {rows(), config.draft_vocabulary});
  std::vector<int32_t> token(static_cast<size_t>(rows())), start(token.size(), 0);
  std::iota(token.begin(), token.end(), 0);
  const Tensor state = draft_depth(
      exec, problem.draft, PackedRows{problem.memory.integers("token", token), problem.memory.integers("start", start)},
      {problem.token_ids, problem.positions, problem.h, written, normed});
  draft_logits(exec, problem.draft, normed, logits);
  const auto reference = problem.reference<double>();
  const auto x = reference.x();
  SuffixAttentionReference<double> attention{};
  attention.q_heads = layer.q_heads, attention.kv_heads = layer.kv_heads;
  attention.dim = attention.value_dim = layer.head_dim, attention.scale = layer.softmax_scale();
  attention.token = token, attention.start = start, attention.suffix_row = start;
  attention.q = reference.q(x), attention.prefix_k = reference.k(x), attention.prefix_v = reference.v(x);
  attention.forward();
  const auto h2 = reference.h2(reference.residual(), attention.o);
  expect_equal("normed", normed, reference.norm(h2, "norm"));
  expect_equal("state", state, config.norm_output ? reference.norm(h2, "norm") : h2);
  expect_equal("logits", logits, reference.linear(reference.norm(h2, "norm"), "lm_head"));
}

// Rows that are there for their keys and values alone leave the same in the pages as others.
TEST_P(DraftPieces, DepthOfTheLastRowsAlone) {
  const auto index = [&](int32_t step) {
    std::vector<int32_t> values(static_cast<size_t>(rows()));
    for (size_t row = 0; row < values.size(); ++row) values[row] = static_cast<int32_t>(row) * step;
    return ConstTensor(problem.memory.integers("index", values));
  };
  struct Run {
    Tensor k, v, h2, normed;
  };
  const auto run = [&](int64_t asking) {
    const Shape pages = {1, rows(), layer.kv_heads, layer.head_dim}, written = {asking, layer.hidden};
    const Run made{out("k", pages), out("v", pages), out("h2", written), out("normed", written)};
    const PagedCache cache{made.k, made.v};
    const int64_t first = rows() - asking;
    draft_depth(exec, problem.draft,
                PagedRows{{&cache, 1},
                          index(0).slice(0, 1).reshape({1, 1}),
                          index(0).slice(first, rows()),
                          index(1).slice(first, rows()),
                          index(1)},
                {problem.token_ids, problem.positions, problem.h, made.h2, made.normed});
    return made;
  };
  const Run all = run(rows());
  expect_equal("k", all.k, problem.reference<double>().k(problem.reference<double>().x()));
  for (const int64_t asking : {int64_t{0}, int64_t{1}, rows() / 2}) {
    const Run some = run(asking);
    const auto last = [&](const Tensor& whole) { return whole.slice(rows() - asking, rows()); };
    expect_passed(testing::compare_bits("k", some.k, all.k));
    expect_passed(testing::compare_bits("v", some.v, all.v));
    expect_passed(testing::compare_bits("h2", some.h2, last(all.h2)));
    expect_passed(testing::compare_bits("normed", some.normed, last(all.normed)));
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, DraftPieces, ::testing::ValuesIn(variants()), [](const auto& one) {
  std::string name = one.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// Norms below fc want a gradient of what it reads: a dry run, whose tensors have one address, counts that product too.
TEST(Draft, ADryRunCountsFcsBackward) {
  for (const bool each_tap : {true, false}) {
    const DraftProblem problem("Draft/dry-run", {.name = "dry-run", .fc_norm = each_tap, .norm_before_fc = !each_tap});
    Exec exec = Exec::plan();
    const Parameters gradients = make_parameters(problem.config);
    const int64_t rows = 5, in = problem.taps.dim(1), out = problem.config.decoder.hidden;
    const Tensor taps = exec.scratch.take(DType::f32, {rows, in}), h = exec.scratch.take(DType::f32, {rows, out});
    const auto product = static_cast<double>(2 * rows * in * out);
    const ConstTensor read = fc(exec, problem.draft, taps, h);
    EXPECT_EQ(exec.flops, product);
    fc_backward(exec, problem.draft, taps, read, h, gradients.tensors);
    EXPECT_EQ(exec.flops, 3 * product);
  }
}

TEST(Draft, TakesNoRows) {
  DraftProblem problem("Draft/no-rows", {.name = "no-rows", .rows = 0});
  const DecoderConfig& layer = problem.config.decoder;
  Exec exec;
  const Parameters gradients = make_parameters(problem.config);
  const ConstTensor read = fc(exec, problem.draft, problem.taps, problem.memory.output("h0", {0, layer.hidden}));
  fc_backward(exec, problem.draft, problem.taps, read, problem.h, gradients.tensors);
  const Tensor next_h = problem.memory.output("next_h", {0, layer.hidden}), none = problem.memory.integers("none", {});
  draft_depth(exec, problem.draft, PackedRows{none, none},
              {problem.token_ids, problem.positions, problem.h, next_h, next_h});
  EXPECT_EQ(testing::to_doubles(gradients.tensors.fc), std::vector<double>(static_cast<size_t>(6 * 15), 0));
}

TEST(Draft, NamesTheArgumentOfAWrongShape) {
  DraftProblem problem("Draft/wrong-shape", {.name = "wrong-shape"});
  Exec exec;
  const Tensor h = problem.memory.output("h0", {5, 6});
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message([&] { fc(exec, problem.draft, problem.h, h); }), "taps: expected shape [any, 15], found [5, 6]");
  EXPECT_EQ(message([&] {
              before_attention(exec, problem.config.decoder, problem.draft.tensors.layer, problem.draft.rope,
                               {problem.h, problem.positions, {}, {}, {}});
            }),
            "x: expected shape [any, 12], found [5, 6]");
}

}  // namespace
}  // namespace eyrie
