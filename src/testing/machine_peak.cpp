// One of the few files that see Highway: dynamic dispatch compiles the two loops below once per instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "testing/machine_peak.cpp"
#include "hwy/foreach_target.h"
// foreach_target.h comes before highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace eyrie::testing::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::CappedTag<float, 16>;

// Twelve independent chains hide the latency of any FMA unit; they start apart, or the compiler would merge them.
// Returns the multiply-adds of one thread.
int64_t multiply_add_chains(int64_t rounds, float* sink) {
  constexpr int kChains = 12;
  const Lanes d;
  const auto factor = hn::Set(d, 0.999f), term = hn::Set(d, 0.5f);
  auto a = hn::Set(d, 1.0f), b = hn::Add(a, term), c = hn::Add(b, term), e = hn::Add(c, term), f = hn::Add(e, term);
  auto g = hn::Add(f, term), h = hn::Add(g, term), i = hn::Add(h, term), j = hn::Add(i, term), k = hn::Add(j, term);
  auto l = hn::Add(k, term), m = hn::Add(l, term);
  for (int64_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, factor, term), b = hn::MulAdd(b, factor, term), c = hn::MulAdd(c, factor, term);
    e = hn::MulAdd(e, factor, term), f = hn::MulAdd(f, factor, term), g = hn::MulAdd(g, factor, term);
    h = hn::MulAdd(h, factor, term), i = hn::MulAdd(i, factor, term), j = hn::MulAdd(j, factor, term);
    k = hn::MulAdd(k, factor, term), l = hn::MulAdd(l, factor, term), m = hn::MulAdd(m, factor, term);
  }
  const auto sum = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(f, g), hn::Add(h, i)));
  *sink += hn::GetLane(hn::SumOfLanes(d, hn::Add(sum, hn::Add(hn::Add(j, k), hn::Add(l, m)))));
  return rounds * kChains * static_cast<int64_t>(hn::Lanes(d));
}

// Adds up `count` floats, a multiple of 64 kStreams, as so many streams side by side. No prefetches: with them the
// processor's own would be slower.
template <int kStreams>
float sum_of_streams(const float* values, int64_t count) {
  const Lanes d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t stream = count / kStreams;
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (int64_t i = 0; i < stream; i += 4 * lanes)
    for (const float* from = values + i; from < values + count; from += stream) {
      a = hn::Add(a, hn::LoadU(d, from)), b = hn::Add(b, hn::LoadU(d, from + lanes));
      c = hn::Add(c, hn::LoadU(d, from + 2 * lanes)), e = hn::Add(e, hn::LoadU(d, from + 3 * lanes));
    }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

float sum_of(const float* values, int64_t count, int streams) {
  if (streams == 4) return sum_of_streams<4>(values, count);
  return streams == 2 ? sum_of_streams<2>(values, count) : sum_of_streams<1>(values, count);
}

}  // namespace eyrie::testing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <atomic>

#include "base/threads.h"
#include "base/time.h"
#include "tensor/buffer.h"
#include "tensor/exec.h"
#include "testing/machine_peak.h"

namespace eyrie::testing {
HWY_EXPORT(multiply_add_chains);
HWY_EXPORT(sum_of);
namespace {

constexpr int kRepeats = 5;  // the best of them: another program's share is not the machine's limit

template <typename Work>
double best_rate(const Work& work) {  // work() returns how much it did
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    Stopwatch watch;
    const double done = work();
    best = std::max(best, done / watch.seconds());
  }
  return best;
}

}  // namespace

double fma_peak_flops() {
  constexpr int64_t kRounds = 2'000'000;
  Exec exec;
  std::atomic<float> kept{0};
  return best_rate([&] {
    std::atomic<int64_t> multiply_adds{0};
    exec.crew().run([&](int64_t) {
      float sink = 0;
      multiply_adds += HWY_DYNAMIC_DISPATCH(multiply_add_chains)(kRounds, &sink);
      kept = sink;
    });
    return 2.0 * static_cast<double>(multiply_adds);
  });
}

double read_bandwidth_bytes_per_second(int64_t footprint_bytes) {
  constexpr int64_t kStep = 4 * 64, kReadBytes = int64_t{512} << 20;  // floats a loop round takes; bytes per repeat
  const int64_t per_thread = std::max<int64_t>(footprint_bytes / 4 / thread_count() / kStep, 1) * kStep;
  const int64_t floats = per_thread * thread_count();
  const Buffer memory = Buffer::zeros(DType::f32, {floats});
  const float* values = memory.tensor().as<float>();
  const int64_t passes = std::max<int64_t>(kReadBytes / (4 * floats), 1);
  Exec exec;
  std::atomic<float> kept{0};
  double best = 0;
  for (const int streams : {1, 2, 4})  // caches like one, memory likes several
    best = std::max(best, best_rate([&] {
                      exec.crew().run([&](int64_t thread) {
                        float sink = 0;
                        for (int64_t pass = 0; pass < passes; ++pass)
                          sink += HWY_DYNAMIC_DISPATCH(sum_of)(values + thread * per_thread, per_thread, streams);
                        kept = sink;
                      });
                      return 4.0 * static_cast<double>(floats * passes);
                    }));
  return best;
}

double hand_over_seconds() {
  constexpr int64_t kLoops = 20'000;
  Exec exec;
  Crew& crew = exec.crew();
  const int64_t others = crew.threads() - 1;
  return 1 / best_rate([&] {
           std::atomic<int64_t> answers{0};
           // The caller waits for the answers: it would take shares that the others have not begun yet.
           for (int64_t loop = 1; loop <= kLoops; ++loop)
             crew.run([&](int64_t share) {
               if (share > 0) return void(answers.fetch_add(1, std::memory_order_release));
               while (answers.load(std::memory_order_acquire) < loop * others) {
               }
             });
           return double{kLoops};
         });
}

}  // namespace eyrie::testing
#endif
