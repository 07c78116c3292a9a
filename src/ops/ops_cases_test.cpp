// Every case of the room, in check and in grad mode.
#include "ops/ops_cases.h"

#include "testing/room_cases.h"

namespace eyrie::testing {

using OpsCases = RoomCases;
TEST_P(OpsCases, AgreesWithItsOracle) { expect_agreement(); }
INSTANTIATE_TEST_SUITE_P(Room, OpsCases, ::testing::ValuesIn(runs_of(add_ops_cases)), name_of_run);

}  // namespace eyrie::testing
