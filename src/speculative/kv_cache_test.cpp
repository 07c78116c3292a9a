#include "speculative/kv_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/error.h"
#include "base/random.h"

namespace eyrie {
namespace {

const std::vector<CacheLayer> kLayers = {{2, 8}, {2, 8}, {1, 4}};

void expect_whole(const PagePool& pool, const std::vector<std::unique_ptr<PagedSequence>>& sequences) {
  std::set<int32_t> owned;
  int64_t pages = 0;
  for (const auto& sequence : sequences) {
    pages += sequence->pages();
    for (const int32_t page : sequence->table()) {
      ASSERT_TRUE(owned.insert(page).second) << "page " << page << " has two owners";
      ASSERT_GE(page, 0);
      ASSERT_LT(page, pool.total());
    }
  }
  ASSERT_EQ(pool.free() + pages, pool.total());
}

TEST(PagePool, EveryPageHasOneOwnerUnderRandomUse) {
  for (const int64_t page_size : {1, 3, 16}) {
    RandomStream stream(std::string("pages") + std::to_string(page_size));
    PagePool pool(kLayers, page_size, 40);
    std::vector<std::unique_ptr<PagedSequence>> sequences;
    for (int i = 0; i < 4; ++i) sequences.push_back(std::make_unique<PagedSequence>(pool));
    for (int step = 0; step < 2000; ++step) {
      auto& sequence = sequences[stream.below(sequences.size())];
      const auto positions = static_cast<int64_t>(stream.below(static_cast<uint64_t>(20 * page_size)));
      const int64_t before = sequence->pages(), needed = (positions + page_size - 1) / page_size;
      switch (stream.below(5)) {
        case 0:
          sequence = std::make_unique<PagedSequence>(pool);
          break;
        case 1:
          sequence->truncate(positions);
          ASSERT_EQ(sequence->pages(), std::min(before, needed));
          break;
        default:
          if (needed - before > pool.free()) {
            ASSERT_THROW(sequence->reserve(positions), Error);
            ASSERT_EQ(sequence->pages(), before);  // all or none
          } else {
            sequence->reserve(positions);
            ASSERT_EQ(sequence->pages(), std::max(before, needed));
          }
      }
      expect_whole(pool, sequences);
    }
    sequences.clear();
    ASSERT_EQ(pool.free(), pool.total());
  }
}

TEST(PagedSequence, PositionsKeepTheirSlotsAndNeverShareOne) {
  PagePool pool(kLayers, 4, 12);
  PagedSequence one(pool), two(pool);
  std::vector<int32_t> slots;
  for (int64_t length = 1; length <= 20; ++length) {
    one.reserve(length), two.reserve(length);
    std::set<int32_t> distinct;
    slots.push_back(one.slot(length - 1));
    for (int64_t p = 0; p < length; ++p) {
      ASSERT_EQ(one.slot(p), slots[static_cast<size_t>(p)]);
      ASSERT_TRUE(distinct.insert(one.slot(p)).second && distinct.insert(two.slot(p)).second);
    }
    ASSERT_EQ(slot_of(one.table().data(), 4, length - 1), slots.back());
  }
}

TEST(PagePool, LayersHaveTheirOwnGeometry) {
  PagePool pool(kLayers, 4, 3);
  ASSERT_EQ(pool.layers().size(), 3u);
  EXPECT_EQ(pool.layers()[0].k.shape, (Shape{3, 4, 2, 8}));
  EXPECT_EQ(pool.layers()[2].v.shape, (Shape{3, 4, 1, 4}));
  EXPECT_NE(pool.layers()[0].k.data, pool.layers()[1].k.data);
  EXPECT_THROW(PagePool(kLayers, 0, 3), Error);
  EXPECT_THROW(PagePool(kLayers, 4, 0), Error);
}

}  // namespace
}  // namespace eyrie
