// testing/gpu.h: the base of every suite that needs a device. Such suites are named Gpu...: ctest labels them `gpu`.
#pragma once
#include <gtest/gtest.h>

#include "cuda/handles.h"

namespace eyrie::testing {

class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string reason = cuda::why_no_device();
    if (!reason.empty()) GTEST_SKIP() << "needs a device: " << reason;
  }
};

}  // namespace eyrie::testing
