// `eyrie mask`: the picture and the figures of a block mask.
#include <gtest/gtest.h>

#include "program.h"

namespace eyrie::e2e {
namespace {

using testing::read_bytes;
using testing::TemporaryDirectory;

TEST(Mask, DrawsAndSaysWhatItCosts) {
  const TemporaryDirectory directory;
  const std::string svg = directory.file("mask.svg");
  testing::write_bytes(svg, "the one before");
  const Outcome outcome = eyrie({"mask", "--q", "4096", "--rounds", "5", "--out", svg});
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  for (const char* line : {"4,096 x 20,480 pairs in tiles of 128x128: 32 x 160\n", "\nFULL         496\n",
                           "\nPARTIAL      160\n", "\nabsent       4,464, 87.2 % of all tiles skipped\n",
                           "\npadded       83.46 kB", "\ndense mask   83.89 MB", " ms on one CPU core\n"})
    EXPECT_NE(outcome.out.find(line), std::string::npos) << line << "in\n" << outcome.out;
  const std::string picture = read_bytes(svg);
  for (const char* text : {">FULL: 496, ", ">PARTIAL: 160, ", ">absent: 4,464, 87.2 % of all skipped<", ">suffix 4<"})
    EXPECT_NE(picture.find(text), std::string::npos) << text;
  EXPECT_EQ(names_in(directory.path()), std::vector<std::string>{"mask.svg"});
}

// Its lists would take 9.5 GB: they are counted and drawn, not made.
TEST(Mask, AMaskOfManyTilesNeedsNoMemory) {
  const TemporaryDirectory directory;
  const std::string svg = directory.file("mask.svg");
  const Outcome outcome =
      eyrie({"mask", "--q", "100000", "--tile", "2x2", "--out", svg}, {.memory_limit_bytes = 1 << 30});
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  for (const char* line :
       {"\nFULL         1,249,975,000\n", "\nPARTIAL      50,000\n", "not tried: the lists take more"})
    EXPECT_NE(outcome.out.find(line), std::string::npos) << line << "in\n" << outcome.out;
}

TEST(Mask, LengthsAreABatchAndDocumentsOneRow) {
  const TemporaryDirectory directory;
  const std::string svg = directory.file("mask.svg");
  const Outcome padded = eyrie({"mask", "--lengths", "256,0,1", "--tile", "128x64", "--out", svg});
  EXPECT_NE(padded.out.find("256 x 256 pairs in tiles of 128x64: 2 x 4\nFULL         2\nPARTIAL      5\n"),
            std::string::npos)
      << padded.out << padded.error;
  EXPECT_NE(read_bytes(svg).find(">length 0<"), std::string::npos);
  const Outcome packed = eyrie({"mask", "--q", "512", "--documents", "256,128", "--out", svg});
  EXPECT_NE(packed.out.find("512 x 512 pairs in tiles of 128x128: 4 x 4\nFULL         1\nPARTIAL      3\n"),
            std::string::npos)
      << packed.out << packed.error;
}

}  // namespace
}  // namespace eyrie::e2e
