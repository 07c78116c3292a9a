#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "app/commands.h"
#include "app/mask/picture.h"
#include "base/error.h"
#include "cuda/graph.h"
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

// Each row of documents has its start in memory, 4 bytes.
int64_t document_rows(const MaskCommand& command) {
  constexpr int64_t kMost = int64_t{1} << 28;
  int64_t rows = 0;
  for (const int64_t length : command.documents) {
    if (length > kMost - rows) refuse(fmt::format("--documents: expected at most {} rows in all, found more", kMost));
    rows += length;
  }
  return rows;
}

int64_t row_count(const MaskCommand& command) {
  if (!command.lengths.empty() && !command.documents.empty()) refuse("expected one of --lengths and --documents");
  const auto longest = std::max_element(command.lengths.begin(), command.lengths.end());
  const int64_t least = command.lengths.empty() ? document_rows(command) : *longest;
  if (command.q == 0 && least == 0) refuse("expected rows from --q, --lengths or --documents, found none");
  if (command.q != 0 && command.q < least)
    refuse(fmt::format("--q: expected at least the {} rows that the lengths take, found {}", least, command.q));
  return command.q ? command.q : least;
}

// The flag behind an argument of the mask's door.
std::string flag_of(const MaskCommand& command, const std::string& argument) {
  if (argument.starts_with("tile")) return "--tile";
  if (argument == "rounds" || argument == "suffix_rows") return "--rounds";
  return command.q ? "--q" : command.lengths.empty() ? "--documents" : "--lengths";
}

// One batch entry per length; else one of all rows, or of documents end to end with padding behind them.
struct Masks {
  std::vector<int32_t> starts;
  std::vector<MaskPanel> panels;
};

Masks masks_of(const MaskCommand& command) {
  const int64_t count = row_count(command);
  Masks masks;
  for (const int64_t length : command.lengths)
    masks.panels.push_back({fmt::format("length {}", grouped(length)), dense_rows(count, command.rounds, length)});
  if (!masks.panels.empty()) return masks;
  MaskPanel& all = masks.panels.emplace_back("", dense_rows(count, command.rounds));
  if (command.documents.empty()) return masks;
  masks.starts = document_starts(command.documents);
  all.rows.start = masks.starts.data();
  all.rows.valid_rows = std::ssize(masks.starts);
  return masks;
}

void print_line(const char* name, const std::string& value) { fmt::print("{:<12} {}\n", name, value); }

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit ? 2 : 0, kUnits[unit]);
}

// What the lists of all panels come to: counted, not made.
struct Totals {
  TileCounts tiles;
  int64_t listed_bytes = 0;
  double padded_bytes = 0, dense_bytes = 0;
};

Totals count(const std::vector<MaskPanel>& panels, BlockTile tile) {
  Totals all;
  for (const MaskPanel& panel : panels) {
    const BlockMaskSizes sizes = count_tiles(panel.rows, tile);
    all.tiles.full += sizes.full, all.tiles.partial += sizes.partial;
    all.tiles.all += sizes.row_tiles * sizes.key_tiles;
    all.listed_bytes += sizes.elements() * size_bytes(DType::i32);
    all.padded_bytes += static_cast<double>(padded_bytes(sizes));
    all.dense_bytes += static_cast<double>(panel.rows.rows) * static_cast<double>(panel.rows.keys());
  }
  return all;
}

void print_sizes(const Totals& all) {
  print_line("FULL", grouped(all.tiles.full));
  print_line("PARTIAL", grouped(all.tiles.partial));
  print_line("absent", fmt::format("{}, {:.1f} % of all tiles skipped", grouped(all.tiles.absent()),
                                   all.tiles.skipped_percent()));
  print_line("CSR", bytes_text(static_cast<double>(all.listed_bytes)) + ", both directions");
  print_line("padded", bytes_text(all.padded_bytes) + ", the eight tensors");
  print_line("dense mask", bytes_text(all.dense_bytes) + ", a byte a pair (never built)");
}

// Milliseconds to build all of them on a GPU, where replays of one graph hide the launches. Call it only with a device.
double build_on_gpu_ms(const std::vector<MaskPanel>& panels, BlockTile tile) {
  double ms = 0;
  if constexpr (kHasCuda) {
    Exec exec(Device::cuda);
    std::vector<Buffer> memory;
    std::vector<std::pair<BlockMaskRows, BlockMask>> placed;
    for (const MaskPanel& panel : panels) {
      BlockMaskRows rows = panel.rows;
      const BlockMaskSizes sizes = block_mask_capacity(rows, tile);
      if (rows.start) {
        const ConstTensor starts(rows.start, DType::i32, {rows.valid()});
        rows.start = memory.emplace_back(to_device(exec, starts, DType::i32)).tensor().as<int32_t>(Device::cuda);
      }
      memory.emplace_back(DType::i32, Shape{sizes.elements()}, Device::cuda);
      placed.emplace_back(rows, place_block_mask(sizes, tile, memory.back().tensor().as<int32_t>(Device::cuda)));
    }
    const cuda::Graph graph = cuda::Graph::capture(exec.stream, [&] {
      for (const auto& [rows, mask] : placed) cuda::build_block_mask(rows, mask, exec.stream);
    });
    ms = testing::median_ms(
        exec, [&] { graph.replay(exec.stream); }, 0.01);
  }
  return ms;
}

// The one part that needs the lists.
void print_times(const std::vector<MaskPanel>& panels, BlockTile tile, int64_t listed_bytes) {
  constexpr int64_t kMostBytes = int64_t{1} << 28;
  if (listed_bytes > kMostBytes)
    return print_line("built in", fmt::format("not tried: the lists take more than {}", bytes_text(kMostBytes)));
  std::vector<OwnedBlockMask> made;
  for (const MaskPanel& panel : panels) made.push_back(make_block_mask(panel.rows, tile));
  const auto build_all = [&] {
    for (size_t i = 0; i < made.size(); ++i) build_block_mask(panels[i].rows, made[i].mask);
  };
  Exec exec;
  print_line("built in", fmt::format("{:.3f} ms on one CPU core", testing::median_ms(exec, build_all, 0.05)));
  if constexpr (kHasCuda)
    if (cuda::why_no_device().empty())
      print_line("", fmt::format("{:.3f} ms on {}", build_on_gpu_ms(panels, tile), cuda::device_properties().name));
}

std::string title_of(const BlockMaskRows& rows, BlockTile tile) {
  const auto tiles = [](int64_t count, int64_t size) { return grouped((count + size - 1) / size); };
  return fmt::format("{} x {} pairs in tiles of {}x{}: {} x {}", grouped(rows.rows), grouped(rows.keys()), tile.rows,
                     tile.keys, tiles(rows.rows, tile.rows), tiles(rows.keys(), tile.keys));
}

}  // namespace

void run_mask(const MaskCommand& command) {
  const BlockTile tile = parse_tile(command.tile);
  if (!command.output.ends_with(".svg"))
    refuse(fmt::format("--out: expected a name that ends in .svg, found \"{}\"", command.output));
  const Masks masks = masks_of(command);
  Totals all;
  try {
    all = count(masks.panels, tile);
  } catch (const Error& error) {
    refuse(flag_of(command, error.place()) + ": " + error.what());
  }
  const std::string title = title_of(masks.panels[0].rows, tile);
  write_file_atomically(command.output, draw_block_masks(title, masks.panels, tile, all.tiles));
  fmt::print("{}\n", title);
  print_sizes(all);
  print_times(masks.panels, tile, all.listed_bytes);
  print_line("drawn to", command.output);
}

}  // namespace eyrie
