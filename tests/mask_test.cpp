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

// Byte by byte: docs/attention.md says which commands drew its pictures.
TEST(Mask, DrawsThePicturesOfTheDocuments) {
  const TemporaryDirectory directory;
  const std::string svg = directory.file("mask.svg");
  const struct {
    const char* name;
    Arguments shape;
  } pictures[] = {{"mask-eagle.svg", {"--q", "2048", "--rounds", "4"}},
                  {"mask-packed.svg", {"--documents", "700,300,900,148", "--rounds", "3"}},
                  {"mask-padded.svg", {"--lengths", "1024,700,129", "--rounds", "3"}}};
  for (const auto& [name, shape] : pictures) {
    EXPECT_EQ(eyrie(Arguments{"mask"} + shape + Arguments{"--out", svg}).status, 0);
    EXPECT_EQ(read_bytes(svg), read_bytes(std::string(EYRIE_SOURCE_DIR "/docs/") + name)) << name;
  }
}

}  // namespace
}  // namespace eyrie::e2e
