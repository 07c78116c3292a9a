// cuda/graph.h: launches recorded once and replayed with one call.
#pragma once
#include <functional>

#include "cuda/handles.h"

namespace eyrie::cuda {

class Graph {
 public:
  // Records what body() starts on `stream`; nothing of it runs. body() may not allocate, copy from host memory or wait:
  // Error{device} then. Every pointer and size is recorded as it is, so what body() used must outlive the graph.
  static Graph capture(const Stream& stream, const std::function<void()>& body);
  void replay(const Stream& stream) const;

 private:
  std::unique_ptr<CUgraphExec_st, Destroy> handle_;
};

}  // namespace eyrie::cuda
