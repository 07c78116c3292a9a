// speculative/draft_reference.h: a whole draft in fp64, one row at a time over a dense list of keys and values: the
// references of the layer's pieces and of attention, put together. The oracle of paged_models.
#pragma once
#include <span>

#include "attention/suffix_attention_reference.h"
#include "model/draft.h"
#include "model/draft_reference.h"
#include "testing/compare.h"

namespace eyrie::testing {

using Vector = std::vector<double>;

class ReferenceDraft {
 public:
  explicit ReferenceDraft(const Draft& draft) : pieces_{draft.config, 1, {0}, {}}, embedding_(draft.embedding) {
    for_each_tensor(draft.config, draft.tensors, [&](const std::string& name, const Shape&, const ConstTensor& tensor) {
      pieces_.tensors[name] = to_doubles(tensor);
    });
    const DecoderConfig& layer = draft.config.decoder;
    attention_.q_heads = layer.q_heads, attention_.kv_heads = layer.kv_heads;
    attention_.dim = attention_.value_dim = layer.head_dim;
    attention_.scale = 1 / std::sqrt(static_cast<double>(layer.head_dim));
    attention_.start = attention_.suffix_row = {0};
  }

  Vector fc(const ConstTensor& taps) {  // [1, m·Ht]
    pieces_.tensors["taps"] = to_doubles(taps);
    return pieces_.fc();
  }

  // One row behind the rows before; gives its logits [Vd] and leaves what it hands on in `h`.
  Vector row(int32_t token, int64_t position, Vector& h) {
    pieces_.positions = {static_cast<int32_t>(position)};
    pieces_.tensors["e"] = to_doubles(embedding_.slice(token, token + 1));
    pieces_.tensors["h"] = h;
    const Vector x = pieces_.x(), h2 = pieces_.h2(pieces_.residual(), attended(x)), normed = pieces_.norm(h2, "norm");
    h = pieces_.config.norm_output ? normed : h2;
    return pieces_.linear(normed, "lm_head");
  }

 private:
  Vector attended(const Vector& x) {
    const Vector k = pieces_.k(x), v = pieces_.v(x);
    attention_.token = {rows_++};
    attention_.q = pieces_.q(x);
    attention_.prefix_k.insert(attention_.prefix_k.end(), k.begin(), k.end());
    attention_.prefix_v.insert(attention_.prefix_v.end(), v.begin(), v.end());
    attention_.forward();
    return attention_.o;
  }

  DraftReference<double> pieces_;
  SuffixAttentionReference<double> attention_{};  // no suffix: the rows so far are its prefix
  ConstTensor embedding_;
  int32_t rows_ = 0;
};

// Logits [Vd] after `slots` rows extended from taps (f32 [slots, m·Ht]) that take tokens 1.., then a chain that takes
// `chain`: recomputed from nothing.
inline Vector reference_logits(const Draft& draft, const ConstTensor& taps, std::span<const int32_t> tokens,
                               int64_t slots, std::span<const int32_t> chain) {
  ReferenceDraft reference(draft);
  Vector h, logits;
  for (int64_t slot = 0; slot < slots; ++slot) {
    h = reference.fc(taps.slice(slot, slot + 1));
    logits = reference.row(tokens[static_cast<size_t>(slot) + 1], slot, h);
  }
  for (size_t step = 0; step < chain.size(); ++step)
    logits = reference.row(chain[step], slots + static_cast<int64_t>(step), h);
  return logits;
}

}  // namespace eyrie::testing
