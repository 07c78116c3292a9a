#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "app/commands.h"
#include "app/mask/device.h"
#include "app/mask/picture.h"
#include "base/error.h"
#include "io/atomic_dir.h"
#include "testing/harness.h"

namespace eyrie {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorKind::usage, "mask", message); }

BlockTile parse_tile(const std::string& text) {
  BlockTile tile;
  const char* const end = text.data() + text.size();
  const auto [cross, row_error] = std::from_chars(text.data(), end, tile.rows);
  if (row_error == std::errc() && cross != end && *cross == 'x') {
    const auto [rest, key_error] = std::from_chars(cross + 1, end, tile.keys);
    if (key_error == std::errc() && rest == end) return tile;
  }
  refuse(fmt::format("--tile: expected ROWSxKEYS such as 256x128, found \"{}\"", text));
}

using Encode = std::string (*)(const Drawing&);
Encode encoder_for(const std::string& path) {
  if (path.ends_with(".svg")) return to_svg;
  if (path.ends_with(".png")) return to_png;
  refuse(fmt::format("--out: expected a name that ends in .svg or .png, found \"{}\"", path));
}

int64_t sum(const std::vector<int64_t>& values) { return std::accumulate(values.begin(), values.end(), int64_t{0}); }

int64_t row_count(const MaskCommand& command) {
  if (!command.lengths.empty() && !command.documents.empty()) refuse("expected one of --lengths and --documents");
  const auto longest = std::max_element(command.lengths.begin(), command.lengths.end());
  const int64_t least = command.lengths.empty() ? sum(command.documents) : *longest;
  if (command.q == 0 && least == 0) refuse("expected rows from --q, --lengths or --documents, found none");
  if (command.q != 0 && command.q < least)
    refuse(fmt::format("--q: expected at least the {} rows that the lengths take, found {}", least, command.q));
  return command.q ? command.q : least;
}

// One batch entry per length; else one of all rows, or of documents end to end with padding behind them.
struct Masks {
  std::vector<int32_t> starts;
  std::vector<BlockMaskRows> rows;
  std::vector<std::string> labels;
};

Masks masks_of(const MaskCommand& command) {
  const int64_t count = row_count(command);
  Masks masks;
  for (const int64_t length : command.lengths) {
    masks.rows.push_back(dense_rows(count, command.rounds, length));
    masks.labels.push_back(fmt::format("length {}", grouped(length)));
  }
  if (!masks.rows.empty()) return masks;
  masks.rows.push_back(dense_rows(count, command.rounds));
  masks.labels.emplace_back();
  if (command.documents.empty()) return masks;
  masks.starts = document_starts(command.documents);
  masks.rows[0].start = masks.starts.data();
  masks.rows[0].valid_rows = sum(command.documents);
  return masks;
}

void print_line(const char* name, const std::string& value) { fmt::print("{:<12} {}\n", name, value); }

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit ? 2 : 0, kUnits[unit]);
}

void print_sizes(const Masks& masks, const std::vector<OwnedBlockMask>& made, const TileCounts& counts) {
  double listed = 0, padded = 0, dense = 0;
  for (size_t i = 0; i < made.size(); ++i) {
    listed += static_cast<double>(made[i].memory.tensor().bytes());
    padded += static_cast<double>(padded_bytes(made[i].sizes));
    dense += static_cast<double>(masks.rows[i].rows) * static_cast<double>(masks.rows[i].keys());
  }
  print_line("FULL", grouped(counts.full));
  print_line("PARTIAL", grouped(counts.partial));
  print_line("absent",
             fmt::format("{}, {:.1f} % of all tiles skipped", grouped(counts.absent()), counts.skipped_percent()));
  print_line("CSR", bytes_text(listed) + ", both directions");
  print_line("padded", bytes_text(padded) + ", the eight tensors");
  print_line("dense mask", bytes_text(dense) + ", a byte a pair (never built)");
}

void print_times(const Masks& masks, const std::vector<OwnedBlockMask>& made, BlockTile tile) {
  const double ms = testing::median_ms(
      [&] {
        for (size_t i = 0; i < made.size(); ++i) build_block_mask(masks.rows[i], made[i].mask);
      },
      0.05);
  print_line("built in", fmt::format("{:.3f} ms on one CPU core", ms));
  if (const std::string device = mask_device(); !device.empty())
    print_line("", fmt::format("{:.3f} ms on {}", build_on_device_ms(masks.rows, tile), device));
}

std::string title_of(const BlockMaskRows& rows, const BlockMask& mask) {
  return fmt::format("{} x {} pairs in tiles of {}x{}: {} x {}", grouped(rows.rows), grouped(rows.keys()),
                     mask.tile.rows, mask.tile.keys, grouped(mask.row_tiles), grouped(mask.key_tiles));
}

// What the door of the room refuses is the command line's fault here.
OwnedBlockMask make(const BlockMaskRows& rows, BlockTile tile) {
  try {
    return make_block_mask(rows, tile);
  } catch (const Error& error) {
    refuse(error.what());
  }
}

}  // namespace

void run_mask(const MaskCommand& command) {
  const BlockTile tile = parse_tile(command.tile);
  const Encode encode = encoder_for(command.output);
  const Masks masks = masks_of(command);
  std::vector<OwnedBlockMask> made;
  std::vector<MaskPanel> panels;
  TileCounts counts;
  for (size_t i = 0; i < masks.rows.size(); ++i) {
    made.push_back(make(masks.rows[i], tile));
    const BlockMaskSizes& sizes = made[i].sizes;
    panels.push_back({masks.labels[i], made[i].mask});
    counts.full += sizes.full, counts.partial += sizes.partial, counts.all += sizes.row_tiles * sizes.key_tiles;
  }
  const std::string title = title_of(masks.rows[0], made[0].mask);
  write_file_atomically(command.output, encode(draw_block_masks(title, masks.rows[0], panels, counts)));
  fmt::print("{}\n", title);
  print_sizes(masks, made, counts);
  print_times(masks, made, tile);
  print_line("drawn to", command.output);
}

}  // namespace eyrie
