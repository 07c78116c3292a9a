// model/draft_reference.h: the pieces of one draft depth by spec §2, as a plain template over the scalar: on double the
// oracle of forward, on complex<double> the gradient by complex step. Tensors by name: weights as in a draft file, and
// the inputs "taps", "e", "h", "x", "attention".
#pragma once
#include <cmath>
#include <complex>
#include <map>
#include <string>
#include <vector>

#include "model/config.h"

namespace eyrie {

template <typename S>
struct DraftReference {
  using Vector = std::vector<S>;

  DraftConfig config;
  int64_t rows;
  std::vector<int32_t> positions;
  std::map<std::string, Vector> tensors;

  const Vector& at(const std::string& name) const { return tensors.at(name); }

  // [rows, in] -> [rows, out], by NAME.weight [out, in] and, if there is one, NAME.bias [out].
  Vector linear(const Vector& x, const std::string& name) const {
    const Vector& weight = at(name + ".weight");
    const size_t count = static_cast<size_t>(rows), in = x.size() / count, out = weight.size() / in;
    const auto bias = tensors.find(name + ".bias");
    Vector y(count * out, S(0));
    for (size_t r = 0; r < count; ++r)
      for (size_t o = 0; o < out; ++o) {
        if (bias != tensors.end()) y[r * out + o] = bias->second[o];
        for (size_t i = 0; i < in; ++i) y[r * out + o] += weight[o * in + i] * x[r * in + i];
      }
    return y;
  }

  // Every run of as many values as the weight has.
  Vector norm(Vector x, const std::string& name) const {
    const Vector& weight = at(name + ".weight");
    const size_t width = weight.size();
    for (size_t begin = 0; begin < x.size(); begin += width) {
      S squares(0);
      for (size_t i = 0; i < width; ++i) squares += x[begin + i] * x[begin + i];
      const S size = std::sqrt(squares / static_cast<double>(width) + static_cast<double>(config.decoder.norm_eps));
      for (size_t i = 0; i < width; ++i) x[begin + i] *= weight[i] / size;
    }
    return x;
  }

  Vector turned(Vector heads) const {
    const size_t dim = static_cast<size_t>(config.decoder.head_dim), half = dim / 2;
    const size_t width = heads.size() / static_cast<size_t>(rows);
    for (size_t begin = 0; begin < heads.size(); begin += dim)
      for (size_t i = 0; i < half; ++i) {
        const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(dim);
        const double angle = positions[begin / width] * std::pow(config.decoder.rope.theta, exponent);
        const S a = heads[begin + i], b = heads[begin + half + i];
        heads[begin + i] = a * std::cos(angle) - b * std::sin(angle);
        heads[begin + half + i] = b * std::cos(angle) + a * std::sin(angle);
      }
    return heads;
  }

  static Vector sum(Vector a, const Vector& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  }

  Vector fc() const {
    Vector taps = at("taps");
    if (config.norm_before_fc) taps = norm(taps, "input_norm");
    if (config.fc_norm) taps = tap_norms(taps);
    return linear(taps, "fc");
  }
  Vector tap_norms(const Vector& taps) const {
    const auto width = static_cast<size_t>(config.target_hidden), all = width * static_cast<size_t>(config.taps());
    Vector y;
    for (size_t begin = 0; begin < taps.size(); begin += width) {
      const Vector one(taps.begin() + static_cast<std::ptrdiff_t>(begin),
                       taps.begin() + static_cast<std::ptrdiff_t>(begin + width));
      const Vector normed = norm(one, "fc_norm." + std::to_string(begin % all / width));
      y.insert(y.end(), normed.begin(), normed.end());
    }
    return y;
  }

  Vector x() const {  // [rows, 2H] from e and h
    const Vector left = norm(at("e"), "midlayer.input_layernorm"), right = norm(at("h"), "midlayer.hidden_norm");
    const auto width = static_cast<std::ptrdiff_t>(config.decoder.hidden);
    Vector y;
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
      y.insert(y.end(), left.begin() + r * width, left.begin() + (r + 1) * width);
      y.insert(y.end(), right.begin() + r * width, right.begin() + (r + 1) * width);
    }
    return y;
  }
  Vector residual() const { return config.norm_before_residual ? norm(at("h"), "midlayer.hidden_norm") : at("h"); }

  Vector q(const Vector& x) const { return turned(head_norms(linear(x, "midlayer.self_attn.q_proj"), "q_norm")); }
  Vector k(const Vector& x) const { return turned(head_norms(linear(x, "midlayer.self_attn.k_proj"), "k_norm")); }
  Vector head_norms(const Vector& heads, const std::string& name) const {
    return config.decoder.qk_norm ? norm(heads, "midlayer.self_attn." + name) : heads;
  }
  Vector v(const Vector& x) const { return linear(x, "midlayer.self_attn.v_proj"); }

  Vector h2(const Vector& residual_in, const Vector& attention) const {
    const Vector h1 = sum(residual_in, linear(attention, "midlayer.self_attn.o_proj"));
    const Vector y = norm(h1, "midlayer.post_attention_layernorm");
    Vector product = linear(y, "midlayer.mlp.gate_proj");
    const Vector up = linear(y, "midlayer.mlp.up_proj");
    for (size_t i = 0; i < product.size(); ++i) product[i] = product[i] / (1.0 + std::exp(-product[i])) * up[i];
    return sum(h1, linear(product, "midlayer.mlp.down_proj"));
  }
};

}  // namespace eyrie
