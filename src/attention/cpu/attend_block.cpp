#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/cpu/attend_block.cpp"
#include "hwy/foreach_target.h"
// foreach_target.h comes before the loops
#include <limits>

#include "attention/cpu/attend_block.h"
#include "attention/cpu/leaf-inl.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::paged::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using eyrie::HWY_NAMESPACE::Floats;
using eyrie::HWY_NAMESPACE::store_sums;
using eyrie::HWY_NAMESPACE::Vector;

// score[lane][key] = q . k, four keys at a time; the last four may name one key again.
template <int kLanes>
void score_keys(const Block& block, int64_t first, float (*score)[kBlockKeys]) {
  const Floats d;
  for (int64_t key = 0; key < block.keys; key += 4) {
    const float* k[4];
    for (int64_t i = 0; i < 4; ++i) k[i] = block.k[HWY_MIN(key + i, block.keys - 1)];
    Vector sum[kLanes][4];
    for (auto& of_lane : sum)
      for (Vector& each : of_lane) each = hn::Zero(d);
    for (int64_t i = 0; i < block.dim; i += static_cast<int64_t>(hn::Lanes(d))) {
      const Vector k0 = hn::LoadU(d, k[0] + i), k1 = hn::LoadU(d, k[1] + i);
      const Vector k2 = hn::LoadU(d, k[2] + i), k3 = hn::LoadU(d, k[3] + i);
      for (int lane = 0; lane < kLanes; ++lane) {
        const Vector q = hn::LoadU(d, block.q + (first + lane) * block.dim + i);
        sum[lane][0] = hn::MulAdd(q, k0, sum[lane][0]), sum[lane][1] = hn::MulAdd(q, k1, sum[lane][1]);
        sum[lane][2] = hn::MulAdd(q, k2, sum[lane][2]), sum[lane][3] = hn::MulAdd(q, k3, sum[lane][3]);
      }
    }
    for (int lane = 0; lane < kLanes; ++lane)
      store_sums(d, sum[lane][0], sum[lane][1], sum[lane][2], sum[lane][3], score[lane] + key);
  }
}

// Turns a lane's scores into weights under the new highest score; returns what the older sums must be multiplied by.
float weigh(const Block& block, int64_t lane, float* score) {
  const Floats d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t key = block.keys; key < kBlockKeys; ++key) score[key] = -std::numeric_limits<float>::infinity();
  Vector best = hn::Set(d, block.highest[lane]);
  for (int64_t key = 0; key < kBlockKeys; key += step) best = hn::Max(best, hn::Load(d, score + key));
  const float highest = eyrie::HWY_NAMESPACE::largest(d, best);
  Vector sum = hn::Zero(d);
  for (int64_t key = 0; key < kBlockKeys; key += step) {
    const Vector weight = eyrie::HWY_NAMESPACE::exp2(d, hn::Sub(hn::Load(d, score + key), hn::Set(d, highest)));
    hn::Store(weight, d, score + key);
    sum = hn::Add(sum, weight);
  }
  const float older = hn::GetLane(eyrie::HWY_NAMESPACE::exp2(d, hn::Set(d, block.highest[lane] - highest)));
  block.sum[lane] = block.sum[lane] * older + eyrie::HWY_NAMESPACE::total(d, sum);
  block.highest[lane] = highest;
  return older;
}

// o[lane] = o[lane] * older + sum of weight v over the block's keys, kVectors of columns at a time.
template <int kLanes, int kVectors>
void add_values(const Block& block, int64_t first, const float (*weight)[kBlockKeys], const float* older,
                int64_t column) {
  const Floats d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  Vector sum[kLanes][kVectors];
  for (int lane = 0; lane < kLanes; ++lane)
    for (int i = 0; i < kVectors; ++i)
      sum[lane][i] = hn::Mul(hn::Set(d, older[lane]),
                             hn::LoadU(d, block.o + (first + lane) * block.value_dim + column + i * step));
  for (int64_t key = 0; key < block.keys; ++key) {
    Vector v[kVectors];
    for (int i = 0; i < kVectors; ++i) v[i] = hn::LoadU(d, block.v[key] + column + i * step);
    for (int lane = 0; lane < kLanes; ++lane) {
      const Vector w = hn::Set(d, weight[lane][key]);
      for (int i = 0; i < kVectors; ++i) sum[lane][i] = hn::MulAdd(w, v[i], sum[lane][i]);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane)
    for (int i = 0; i < kVectors; ++i)
      hn::StoreU(sum[lane][i], d, block.o + (first + lane) * block.value_dim + column + i * step);
}

template <int kLanes>
void attend_lanes(const Block& block, int64_t first) {
  HWY_ALIGN float score[kLanes][kBlockKeys];
  float older[kLanes];
  score_keys<kLanes>(block, first, score);
  for (int lane = 0; lane < kLanes; ++lane) older[lane] = weigh(block, first + lane, score[lane]);
  const auto step = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t column = 0;
  for (; column + 4 * step <= block.value_dim; column += 4 * step)
    add_values<kLanes, 4>(block, first, score, older, column);
  for (; column < block.value_dim; column += step) add_values<kLanes, 1>(block, first, score, older, column);
}

void attend(const Block& block) {
  int64_t lane = 0;
  for (; lane + 4 <= block.lanes; lane += 4) attend_lanes<4>(block, lane);
  for (; lane + 2 <= block.lanes; lane += 2) attend_lanes<2>(block, lane);
  for (; lane < block.lanes; ++lane) attend_lanes<1>(block, lane);
}

}  // namespace eyrie::paged::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eyrie::paged {
HWY_EXPORT(attend);
void attend_block(const Block& block) { HWY_DYNAMIC_DISPATCH(attend)(block); }
}  // namespace eyrie::paged
#endif
