#include <fmt/core.h>

#include "app/bench/decoding.h"
#include "app/bench/parts.h"
#include "model/random_model.h"

namespace eyrie {
namespace {

TargetConfig one_billion() {
  TargetConfig config;
  config.model_type = "llama";
  config.layers = 16, config.vocabulary = 128256, config.tied_embeddings = true;
  config.decoder.hidden = config.decoder.input_width = 2048;
  config.decoder.intermediate = 8192;
  config.decoder.q_heads = 32, config.decoder.kv_heads = 8, config.decoder.head_dim = 64;
  config.decoder.max_positions = 2048;
  return config;
}

}  // namespace

void bench_decode(const BenchOptions&) {
  const Target target = random_target("bench_decode", one_billion(), DType::bf16);
  DecodingBench bench(target, nullptr);
  const double bytes = weight_bytes_per_row(target);
  const auto print = [&](const char* name, auto&& call) {
    testing::print_measurement(name, testing::measure(bench.exec(), {.bytes = bytes, .call = [&](Exec&) { call(); }}));
  };
  testing::print_measurement_head(fmt::format("1B-shaped, bf16, {:.2f} GB", bytes * 1e-9));
  print("linear layers, 1 row", [&] { bench.linear_layers(1, 1); });
  print("decode, 1 row", [&] { bench.verify(1); });
  print("verify, 5 rows", [&] { bench.verify(5); });
  for (const int64_t rows : {20, 512})
    print_many_rows(bench, "linear layers", rows, [&] { bench.linear_layers(rows, 1); });
  print_many_rows(bench, "prefill", 512, [&] { bench.prefill(512); });
}

}  // namespace eyrie
