// speculative/kv_cache.h: who owns which page of the key-value cache. A page holds page_size positions of one sequence
// in *every* layer, so one page table serves the target's layers and the draft's.
//
//   a page belongs to one sequence or to the free list, always
#pragma once
#include <span>
#include <vector>

#include "attention/page_view.h"
#include "tensor/buffer.h"

namespace eyrie {

struct CacheLayer {
  int64_t kv_heads = 0, head_dim = 0;
};

class PagePool {
 public:
  // Memory is allocated here and touched when a page is first written.
  PagePool(const std::vector<CacheLayer>& layers, int64_t page_size, int64_t pages);
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  std::span<const PagedCache> layers() const { return views_; }
  int64_t page_size() const { return page_size_; }
  int64_t total() const { return total_; }
  int64_t free() const { return static_cast<int64_t>(free_.size()); }

 private:
  friend class PagedSequence;
  int64_t page_size_, total_;
  std::vector<Buffer> memory_;     // k and v of each layer
  std::vector<PagedCache> views_;  // [layers]
  std::vector<int32_t> free_;      // the last is taken next
};

// The pages of one sequence; the destructor gives them back. The pool must outlive it.
class PagedSequence {
 public:
  explicit PagedSequence(PagePool& pool);
  ~PagedSequence() { truncate(0); }
  PagedSequence(const PagedSequence&) = delete;
  PagedSequence& operator=(const PagedSequence&) = delete;

  // Owns pages for positions 0 .. positions-1. All or none: Error{input} with the counts when the pool has too few.
  void reserve(int64_t positions);
  // Gives back the pages that hold only positions >= `positions`.
  void truncate(int64_t positions);

  int64_t pages() const { return static_cast<int64_t>(table_.size()); }
  std::span<const int32_t> table() const { return table_; }
  int32_t slot(int64_t position) const { return slot_of(table_.data(), pool_.page_size(), position); }
  PagePool& pool() const { return pool_; }

 private:
  PagePool& pool_;
  std::vector<int32_t> table_;  // its capacity is the pool's total, so it never moves
};

}  // namespace eyrie
