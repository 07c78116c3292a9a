// Every case of the room, in check and in grad mode.
#include "attention/attention_cases.h"

#include "testing/gpu.h"
#include "testing/room_cases.h"

namespace eyrie::testing {

using AttentionCases = RoomCases;
TEST_P(AttentionCases, AgreesWithItsOracle) { expect_agreement(); }
INSTANTIATE_TEST_SUITE_P(Room, AttentionCases, ::testing::ValuesIn(runs_of(add_attention_cases)), name_of_run);

class GpuAttentionCases : public GpuTest, public ::testing::WithParamInterface<CaseRun> {};
TEST_P(GpuAttentionCases, AgreesWithItsOracle) { EXPECT_EQ(failures(GetParam().one, GetParam().mode), ""); }
INSTANTIATE_TEST_SUITE_P(Room, GpuAttentionCases, ::testing::ValuesIn(runs_of(add_attention_cases, Device::cuda)),
                         name_of_run);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GpuAttentionCases);  // a build without CUDA has none

}  // namespace eyrie::testing
