#include <algorithm>

#include "cuda/profile.h"

namespace eyrie::cuda {

void Profile::begin(const Stream& stream) {
  begin_ = Event::create();
  begin_.record(stream);
}

void Profile::end(const Stream& stream, const char* kernel, const LaunchCost& cost) {
  Event end = Event::create();
  end.record(stream);
  launches_.push_back({kernel, cost, std::move(begin_), std::move(end)});
}

std::vector<Profile::Row> Profile::rows() const {
  std::vector<Row> rows;
  for (const Timed& one : launches_) {
    one.end.synchronize();
    auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& other) { return other.kernel == one.kernel; });
    if (row == rows.end()) row = rows.insert(rows.end(), Row{one.kernel});
    ++row->launches;
    row->milliseconds += one.end.milliseconds_since(one.begin);
    row->bytes += one.cost.bytes, row->flops += one.cost.flops;
  }
  return rows;
}

}  // namespace eyrie::cuda
