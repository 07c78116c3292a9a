#include "cuda/check.cuh"
#include "cuda/graph.h"

namespace eyrie::cuda {

void destroy(CUgraphExec_st* graph) noexcept { cudaGraphExecDestroy(graph); }

Graph Graph::capture(const Stream& stream, const std::function<void()>& body) {
  check(cudaStreamBeginCapture(stream.handle(), cudaStreamCaptureModeThreadLocal), "graph capture");
  cudaGraph_t recorded = nullptr;
  try {
    body();
  } catch (...) {
    cudaStreamEndCapture(stream.handle(), &recorded);  // body's own error says more
    cudaGetLastError();
    if (recorded) cudaGraphDestroy(recorded);
    throw;
  }
  check(cudaStreamEndCapture(stream.handle(), &recorded), "graph capture");
  cudaGraphExec_t handle = nullptr;
  const cudaError_t found = cudaGraphInstantiate(&handle, recorded, 0);
  cudaGraphDestroy(recorded);
  check(found, "graph");
  Graph made;
  made.handle_.reset(handle);
  return made;
}

void Graph::replay(const Stream& stream) const {
  check(cudaGraphLaunch(handle_.get(), stream.handle()), "graph replay");
}

}  // namespace eyrie::cuda
