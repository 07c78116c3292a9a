// Every case of the room, in check and in grad mode.
#include "ops/ops_cases.h"

#include "testing/gpu.h"
#include "testing/room_cases.h"

namespace eyrie::testing {

using OpsCases = RoomCases;
TEST_P(OpsCases, AgreesWithItsOracle) { expect_agreement(); }
INSTANTIATE_TEST_SUITE_P(Room, OpsCases, ::testing::ValuesIn(runs_of(add_ops_cases)), name_of_run);

class GpuOpsCases : public GpuTest, public ::testing::WithParamInterface<CaseRun> {};
TEST_P(GpuOpsCases, AgreesWithItsOracle) { EXPECT_EQ(failures(GetParam().one, GetParam().mode), ""); }
INSTANTIATE_TEST_SUITE_P(Room, GpuOpsCases, ::testing::ValuesIn(runs_of(add_ops_cases, Device::cuda)), name_of_run);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GpuOpsCases);  // a build without CUDA has none

}  // namespace eyrie::testing
