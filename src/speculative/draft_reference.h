// speculative/draft_reference.h: the draft in fp64 by spec §2, one row at a time over a dense list of keys and values:
// the oracle of cached_models.
#pragma once
#include <cmath>
#include <vector>

#include "model/draft.h"

namespace eyrie::testing {

using Vector = std::vector<double>;

inline Vector times(const ConstTensor& weight, const Vector& x) {  // f32 [out, in]
  Vector y(static_cast<size_t>(weight.dim(0)), 0);
  for (size_t o = 0; o < y.size(); ++o)
    for (size_t i = 0; i < x.size(); ++i) y[o] += weight.as<float>()[o * x.size() + i] * x[i];
  return y;
}

inline Vector normed(const ConstTensor& weight, double eps, const Vector& x, size_t begin, size_t count) {
  double squares = 0;
  for (size_t i = 0; i < count; ++i) squares += x[begin + i] * x[begin + i];
  Vector y;
  for (size_t i = 0; i < count; ++i)
    y.push_back(weight.as<float>()[i] * x[begin + i] / std::sqrt(squares / static_cast<double>(count) + eps));
  return y;
}

inline Vector sum(Vector a, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

class ReferenceDraft {
 public:
  explicit ReferenceDraft(const Draft& draft) : draft_(draft), config_(draft.config) {}

  Vector fc(const float* taps) const {
    const auto tap_width = static_cast<size_t>(config_.target_hidden), taps_count = static_cast<size_t>(config_.taps());
    Vector all(taps, taps + taps_count * tap_width), x;
    const double eps = config_.decoder.norm_eps;
    if (config_.norm_before_fc) all = normed(draft_.tensors.norm_before_fc, eps, all, 0, all.size());
    for (size_t tap = 0; config_.fc_norm && tap < taps_count; ++tap) {
      const Vector one = normed(draft_.tensors.fc_norm[tap], eps, all, tap * tap_width, tap_width);
      x.insert(x.end(), one.begin(), one.end());
    }
    return times(draft_.tensors.fc, config_.fc_norm ? x : all);
  }

  // One row behind the rows before; gives its logits [Vd] and leaves what it hands on in `h`.
  Vector row(int32_t token, int64_t position, Vector& h) {
    const DecoderConfig& layer = config_.decoder;
    const auto width = static_cast<size_t>(layer.hidden);
    const float* embedding = draft_.embedding.as<float>() + static_cast<size_t>(token) * width;
    Vector x = normed(draft_.tensors.layer.input_norm, layer.norm_eps, Vector(embedding, embedding + width), 0, width);
    const Vector normed_h = normed(draft_.tensors.hidden_norm, layer.norm_eps, h, 0, width);
    x.insert(x.end(), normed_h.begin(), normed_h.end());
    Vector q = times(draft_.tensors.layer.q.weight, x), k = times(draft_.tensors.layer.k.weight, x);
    turn(q, position), turn(k, position);
    keys_.push_back(k), values_.push_back(times(draft_.tensors.layer.v.weight, x));
    const Vector h1 =
        sum(config_.norm_before_residual ? normed_h : h, times(draft_.tensors.layer.o.weight, attention(q)));
    const Vector y = normed(draft_.tensors.layer.post_norm, layer.norm_eps, h1, 0, width);
    Vector product = times(draft_.tensors.layer.gate.weight, y);
    const Vector up = times(draft_.tensors.layer.up.weight, y);
    for (size_t i = 0; i < product.size(); ++i) product[i] = product[i] / (1 + std::exp(-product[i])) * up[i];
    const Vector h2 = sum(h1, times(draft_.tensors.layer.down.weight, product));
    const Vector out = normed(draft_.tensors.norm, layer.norm_eps, h2, 0, width);
    h = config_.norm_output ? out : h2;
    return times(draft_.tensors.lm_head, out);
  }

 private:
  void turn(Vector& heads, int64_t position) const {
    const auto dim = static_cast<size_t>(config_.decoder.head_dim), half = dim / 2;
    for (size_t head = 0; head < heads.size(); head += dim)
      for (size_t i = 0; i < half; ++i) {
        const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(dim);
        const double angle = static_cast<double>(position) * std::pow(config_.decoder.rope.theta, exponent);
        const double a = heads[head + i], b = heads[head + half + i];
        heads[head + i] = a * std::cos(angle) - b * std::sin(angle);
        heads[head + half + i] = b * std::cos(angle) + a * std::sin(angle);
      }
  }

  Vector attention(const Vector& q) const {
    const auto dim = static_cast<size_t>(config_.decoder.head_dim);
    const auto group = static_cast<size_t>(config_.decoder.q_heads / config_.decoder.kv_heads);
    Vector out(q.size(), 0);
    for (size_t head = 0; head * dim < q.size(); ++head) {
      const size_t kv = head / group * dim;
      double total = 0;
      for (size_t j = 0; j < keys_.size(); ++j) {
        double score = 0;
        for (size_t i = 0; i < dim; ++i) score += q[head * dim + i] * keys_[j][kv + i];
        const double weight = std::exp(score / std::sqrt(static_cast<double>(dim)));
        total += weight;
        for (size_t i = 0; i < dim; ++i) out[head * dim + i] += weight * values_[j][kv + i];
      }
      for (size_t i = 0; i < dim; ++i) out[head * dim + i] /= total;
    }
    return out;
  }

  const Draft& draft_;
  const DraftConfig& config_;
  std::vector<Vector> keys_, values_;  // [rows so far]
};

// Logits [Vd] after `slots` rows extended from taps (f32 [slots, m·Ht]) that take tokens 1.., then a chain that takes
// `chain`: recomputed from nothing.
inline Vector reference_logits(const Draft& draft, const ConstTensor& taps, std::span<const int32_t> tokens,
                               int64_t slots, std::span<const int32_t> chain) {
  ReferenceDraft reference(draft);
  Vector h, logits;
  for (int64_t slot = 0; slot < slots; ++slot) {
    h = reference.fc(taps.as<float>() + slot * taps.dim(1));
    logits = reference.row(tokens[static_cast<size_t>(slot) + 1], slot, h);
  }
  for (size_t step = 0; step < chain.size(); ++step)
    logits = reference.row(chain[step], slots + static_cast<int64_t>(step), h);
  return logits;
}

}  // namespace eyrie::testing
