#include "speculative/kv_cache.h"

#include <fmt/core.h>

namespace eyrie {
namespace {

int64_t pages_for(int64_t positions, int64_t page_size) { return (positions + page_size - 1) / page_size; }

}  // namespace

PagePool::PagePool(const std::vector<CacheLayer>& layers, int64_t page_size, int64_t pages)
    : page_size_(page_size), total_(pages) {
  if (page_size < 1 || pages < 1)
    throw Error(ErrorKind::input, "cache",
                fmt::format("expected at least one page of one position, found {} pages of {}", pages, page_size));
  for (const CacheLayer& layer : layers) {
    const Shape shape{pages, page_size, layer.kv_heads, layer.head_dim};
    const Tensor k = memory_.emplace_back(DType::f32, shape), v = memory_.emplace_back(DType::f32, shape);
    views_.push_back({k, v});
  }
  for (int64_t page = pages; page-- > 0;) free_.push_back(static_cast<int32_t>(page));
}

PagedSequence::PagedSequence(PagePool& pool) : pool_(pool) { table_.reserve(static_cast<size_t>(pool.total())); }

void PagedSequence::reserve(int64_t positions) {
  const int64_t missing = pages_for(positions, pool_.page_size()) - pages();
  if (missing > pool_.free())
    throw Error(ErrorKind::input, "cache",
                fmt::format("{} positions need {} more pages of {}; {} of {} are free", positions, missing,
                            pool_.page_size(), pool_.free(), pool_.total()));
  for (int64_t i = 0; i < missing; ++i) {
    table_.push_back(pool_.free_.back());
    pool_.free_.pop_back();
  }
}

void PagedSequence::truncate(int64_t positions) {
  while (pages() > pages_for(positions, pool_.page_size())) {
    pool_.free_.push_back(table_.back());
    table_.pop_back();
  }
}

}  // namespace eyrie
