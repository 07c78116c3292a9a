// Every case of the room, in check and in grad mode.
#include "attention/attention_cases.h"

#include "testing/room_cases.h"

namespace eyrie::testing {

using AttentionCases = RoomCases;
TEST_P(AttentionCases, AgreesWithItsOracle) { expect_agreement(); }
INSTANTIATE_TEST_SUITE_P(Room, AttentionCases, ::testing::ValuesIn(runs_of(add_attention_cases)), name_of_run);

}  // namespace eyrie::testing
