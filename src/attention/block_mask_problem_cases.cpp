#include "attention/block_mask_problem_cases.h"

#include <algorithm>
#include <initializer_list>

namespace eyrie {
namespace {

class Draw {
 public:
  explicit Draw(RandomStream& stream) : stream_(stream) {}
  int64_t below(int64_t count) { return static_cast<int64_t>(stream_.below(static_cast<uint64_t>(count))); }
  int64_t between(int64_t least, int64_t most) { return least + below(most - least + 1); }
  bool one_in(int64_t count) { return below(count) == 0; }
  template <typename T>
  T of(std::initializer_list<T> values) {
    return values.begin()[below(static_cast<int64_t>(values.size()))];
  }

 private:
  RandomStream& stream_;
};

// Ascending values: `count` of them below `limit`.
std::vector<int32_t> choose(Draw& draw, int64_t count, int64_t limit) {
  std::vector<int32_t> chosen;
  for (int64_t value = 0; value < limit; ++value)
    if (draw.below(limit - value) < count - static_cast<int64_t>(chosen.size()))
      chosen.push_back(static_cast<int32_t>(value));
  return chosen;
}

std::vector<int64_t> cut(Draw& draw, int64_t total) {  // into documents, some of a single token
  constexpr int64_t kLongest = 30;
  std::vector<int64_t> lengths;
  for (int64_t left = total; left > 0; left -= lengths.back())
    lengths.push_back(draw.one_in(4) ? 1 : draw.between(1, std::min(left, kLongest)));
  return lengths;
}

void compact(Draw& draw, BlockMaskProblem& problem) {  // some of the tokens ask
  const int64_t tokens = problem.rows.tokens, rows = draw.between(0, tokens);
  problem.token = choose(draw, rows, tokens);
  std::vector<int32_t> starts;
  for (const int32_t token : problem.token)
    if (!problem.start.empty()) starts.push_back(problem.start[static_cast<size_t>(token)]);
  problem.start = starts;
  problem.rows.rows = rows;
  problem.rows.suffix_rows = rows + draw.below(2) * draw.below(40);
  if (draw.one_in(2)) problem.suffix_row = choose(draw, rows, problem.rows.suffix_rows);
}

}  // namespace

void BlockMaskProblem::point() {
  rows.token = token.empty() ? nullptr : token.data();
  rows.start = start.empty() ? nullptr : start.data();
  rows.suffix_row = suffix_row.empty() ? nullptr : suffix_row.data();
}

bool BlockMaskProblem::sees(int64_t row, int64_t key) const {
  if (row >= rows.valid() || key >= rows.keys()) return false;
  const auto at = static_cast<size_t>(row);
  const int64_t own = token.empty() ? row : token[at];
  if (key < rows.tokens) return (start.empty() ? 0 : start[at]) <= key && key <= own;
  return (key - rows.tokens) % rows.suffix_rows == (suffix_row.empty() ? row : suffix_row[at]);
}

TileKind BlockMaskProblem::kind(int64_t row_tile, int64_t key_tile) const {
  int64_t seen = 0;
  for (int64_t row = row_tile * tile.rows; row < (row_tile + 1) * tile.rows; ++row)
    for (int64_t key = key_tile * tile.keys; key < (key_tile + 1) * tile.keys; ++key) seen += sees(row, key);
  if (seen == 0) return TileKind::absent;
  return seen == int64_t{tile.rows} * tile.keys ? TileKind::full : TileKind::partial;
}

BlockMaskProblem random_block_mask(RandomStream& stream) {
  Draw draw(stream);
  BlockMaskProblem made;
  made.tile = {draw.of({2, 3, 4, 8, 13, 16}), draw.of({1, 2, 3, 4, 8, 16, 29})};
  const int64_t tokens = draw.of<int64_t>({0, 1, 2, draw.below(20), draw.between(20, 90), 64});
  made.rows = dense_rows(tokens, draw.between(1, 8));
  if (draw.one_in(2)) made.start = document_starts(cut(draw, tokens));
  if (draw.one_in(3)) compact(draw, made);
  if (draw.one_in(3))
    made.rows.valid_rows = draw.of<int64_t>({0, std::min<int64_t>(1, made.rows.rows), draw.between(0, made.rows.rows)});
  if (draw.one_in(4)) made.rows.tokens += draw.below(30);
  made.point();
  return made;
}

}  // namespace eyrie
