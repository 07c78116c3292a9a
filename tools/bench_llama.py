#!/usr/bin/env python3
"""Eyrie beside llama.cpp on a CPU: decode and prefill of a 1B-shaped bf16 model and of fledgling's shape, in turn.

Usage: tools/bench_llama.py LLAMA_BENCH [PROGRAM [PAIRS [SCRATCH]]]      default: build/release/eyrie, 7 pairs, /tmp

LLAMA_BENCH is llama.cpp's llama-bench. The GGUF files are written here: the shapes that `eyrie bench decode` and
`eyrie bench speculation` run, in bf16, without a tokenizer; the values do not matter to the clock. `eyrie bench machine`
before each pair says whether the two processors are near or far.
"""
import argparse
import pathlib
import random
import re
import statistics
import struct
import subprocess

SHAPES = {  # layers, hidden, intermediate, heads, kv heads, head dim, vocabulary
    "1B-shaped": (16, 2048, 8192, 32, 8, 64, 128256),
    "fledgling": (8, 256, 640, 8, 2, 32, 2048),
}
TESTS = [  # name, shape, part of eyrie bench, its line, tokens that one call makes, llama-bench's flags, its test
    ("decode, 1B-shaped", "1B-shaped", "decode", "decode, 1 row", 1, ["-p", "0", "-n", "32"], "tg32"),
    ("prefill of 512, 1B-shaped", "1B-shaped", "decode", "prefill, 512 rows", 512, ["-p", "512", "-n", "0"], "pp512"),
    ("decode, fledgling", "fledgling", "speculation", "decode, 1 row", 1, ["-p", "0", "-n", "128"], "tg128"),
    ("prefill of 40, fledgling", "fledgling", "speculation", "prefill, 40 rows", 40, ["-p", "40", "-n", "0"], "pp40"),
]
F32, BF16 = 0, 30


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def tensors(shape):
    layers, hidden, intermediate, heads, kv_heads, head_dim, vocabulary = shape
    yield "token_embd.weight", [hidden, vocabulary], BF16
    yield "output_norm.weight", [hidden], F32
    for layer in range(layers):
        for name, out, inner in [("attn_q", heads * head_dim, hidden), ("attn_k", kv_heads * head_dim, hidden),
                                 ("attn_v", kv_heads * head_dim, hidden), ("attn_output", hidden, heads * head_dim),
                                 ("ffn_gate", intermediate, hidden), ("ffn_up", intermediate, hidden),
                                 ("ffn_down", hidden, intermediate)]:
            yield f"blk.{layer}.{name}.weight", [inner, out], BF16
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", [hidden], F32


def write_gguf(path, shape):
    layers, hidden, intermediate, heads, kv_heads, head_dim, vocabulary = shape
    counts = {"block_count": layers, "context_length": 4096, "embedding_length": hidden,
              "feed_forward_length": intermediate, "attention.head_count": heads, "attention.head_count_kv": kv_heads,
              "attention.key_length": head_dim, "attention.value_length": head_dim,
              "rope.dimension_count": head_dim, "vocab_size": vocabulary}
    entries = [text(key) + struct.pack("<I", 8) + text(value)
               for key, value in (("general.architecture", "llama"), ("tokenizer.ggml.model", "no_vocab"))]
    entries += [text("llama." + key) + struct.pack("<II", 4, value) for key, value in counts.items()]
    entries += [text("llama." + key) + struct.pack("<If", 6, value)
                for key, value in (("attention.layer_norm_rms_epsilon", 1e-5), ("rope.freq_base", 500000.0))]
    listed, infos, offset = list(tensors(shape)), b"", 0
    sizes = []
    for name, dims, dtype in listed:
        elements = dims[0] * (dims[1] if len(dims) > 1 else 1)
        infos += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, dtype, offset)
        sizes.append(elements * (2 if dtype == BF16 else 4))
        offset += (sizes[-1] + 31) // 32 * 32
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(listed), len(entries)) + b"".join(entries) + infos
    draw = random.Random(1)
    block = b"".join(struct.pack("<H", draw.getrandbits(1) << 15 | 0x3C00 + draw.getrandbits(8)) for _ in range(1 << 16))
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % 32))
        for (_, _, dtype), size in zip(listed, sizes):
            unit = block if dtype == BF16 else struct.pack("<f", 1.0)
            for _ in range(size // len(unit)):
                file.write(unit)
            file.write(unit[: size % len(unit)] + bytes(-size % 32))


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser(description="Eyrie beside llama.cpp on a CPU")
    parser.add_argument("llama_bench")
    parser.add_argument("program", nargs="?", default="build/release/eyrie")
    parser.add_argument("pairs", nargs="?", type=int, default=7)
    parser.add_argument("scratch", nargs="?", default="/tmp")
    given = parser.parse_args()
    files = {}
    for name, shape in SHAPES.items():
        files[name] = pathlib.Path(given.scratch) / f"{name}.gguf"
        write_gguf(files[name], shape)
    rates = {test[0]: ([], []) for test in TESTS}
    for _ in range(given.pairs):
        state = re.search(r"and back +([\d.]+) us", output(given.program, "bench", "machine")).group(1)
        ours = {part: output(given.program, "bench", part) for part in ("decode", "speculation")}
        for name, shape, part, line, tokens, flags, test in TESTS:
            ms = float(re.search(rf"^{re.escape(line)} +([\d.]+)", ours[part], re.M).group(1))
            found = output(given.llama_bench, "-m", str(files[shape]), "-t", "2", "-r", "3", *flags)
            peer = float(re.search(rf"{test} \| +([\d.]+)", found).group(1))
            rates[name][0].append(1e3 * tokens / ms)
            rates[name][1].append(peer)
            print(f"hand-over {state} us   {name}: {rates[name][0][-1]:.1f}, {peer:.1f} tokens/s", flush=True)
    print(f"\n{'tokens/s, medians':<28}{'Eyrie':>9}{'llama.cpp':>11}{'ratio, least .. most':>24}")
    for name, (ours, theirs) in rates.items():
        ratios = sorted(a / b for a, b in zip(ours, theirs))
        print(f"{name:<28}{statistics.median(ours):>9.1f}{statistics.median(theirs):>11.1f}"
              f"{statistics.median(ratios):>9.2f}, {ratios[0]:.2f} .. {ratios[-1]:.2f}")


main()
