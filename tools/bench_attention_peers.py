#!/usr/bin/env python3
"""Times PyTorch's attention kernels and ours on the attention of one EAGLE-3 training step, in one run on one GPU.

Usage: bench_attention_peers.py [--eyrie PROGRAM] [--only fa2,cudnn,flex,eyrie] [--errors]

7 depths, B=1, 32 query and 8 key-value heads of 128, bf16; milliseconds of the 7 forwards and of the 7 backwards, medians
by CUDA events. FA2 and cuDNN compute plain causal attention 7 times, without any suffix: less work than the step has.
FlexAttention computes the step: at depth k all keys so far, (k+1)·S of them, under the EAGLE mask, its block mask prebuilt.
FA2 and cuDNN take 8 key-value heads as they are where their kernel does; else they are repeated 4 times, and the header
says so. The ragged batch is right-padded to its longest sequence for the peers and packed for ours.
"""
import argparse
import re
import statistics
import subprocess
import sys
import time
import warnings

import torch
import torch._functorch.config
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

DEPTHS, HEADS, KV_HEADS, DIM = 7, 32, 8, 128
SIZES = [2048, 4096, 8192, 16384, 32768]
FLEX_SIZES = [4096, 32768]  # each compiles 14 kernels
RAGGED = [4096, 3000, 1500, 700]
aten = torch.ops.aten
warnings.filterwarnings("ignore", message="_compile flag")  # create_block_mask's own way out of explicit masks


def normal(*shape, dtype=torch.bfloat16):
    return torch.randn(*shape, device="cuda", dtype=dtype)


def median_ms(call, seconds=0.15, fewest=3):
    call()
    torch.cuda.synchronize()
    times, start = [], time.monotonic()
    while len(times) < fewest or time.monotonic() - start < seconds:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


class Fa2:
    """The flash kernel by its own operator: [B, S, heads, D]."""
    name, grouped = "fa2", True

    @classmethod
    def inputs(cls, batch, tokens):
        kv_heads = KV_HEADS if cls.grouped else HEADS
        return tuple(normal(batch, tokens, heads, DIM) for heads in (HEADS, kv_heads, kv_heads))

    @staticmethod
    def forward(q, k, v):
        return aten._flash_attention_forward(q, k, v, None, None, q.shape[1], k.shape[1], 0.0, True, False)

    @staticmethod
    def backward(d_o, q, k, v, saved):
        o, lse, seed, unused = saved[:4]
        return aten._flash_attention_backward(d_o, q, k, v, o, lse, None, None, q.shape[1], k.shape[1], 0.0, True,
                                              seed, unused)


class Cudnn:
    """cuDNN's kernel by its operator: [B, heads, S, D] views of the same layout in memory."""
    name, grouped = "cudnn", True

    @classmethod
    def inputs(cls, batch, tokens):
        kv_heads = KV_HEADS if cls.grouped else HEADS
        return tuple(normal(batch, tokens, heads, DIM).transpose(1, 2) for heads in (HEADS, kv_heads, kv_heads))

    @staticmethod
    def forward(q, k, v):
        return aten._scaled_dot_product_cudnn_attention(q, k, v, None, True, 0.0, True)

    @staticmethod
    def backward(d_o, q, k, v, saved):
        o, lse, cum_q, cum_k, max_q, max_k, seed, offset = saved[:8]
        return aten._scaled_dot_product_cudnn_attention_backward(d_o, q, k, v, o, lse, seed, offset, None, cum_q, cum_k,
                                                                 max_q, max_k, 0.0, True)


def causal_loop(peer, batch, tokens):
    """(forward ms, backward ms, peak GiB beyond the inputs, outputs and gradients of one depth)"""
    q, k, v = peer.inputs(batch, tokens)
    saved = peer.forward(q, k, v)
    d_o = torch.randn_like(saved[0])
    forward = median_ms(lambda: [peer.forward(q, k, v) for _ in range(DEPTHS)])
    backward = median_ms(lambda: [peer.backward(d_o, q, k, v, saved) for _ in range(DEPTHS)])
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    gradients = peer.backward(d_o, q, k, v, saved)
    kept = sum(g.numel() * g.element_size() for g in gradients[:3])
    return forward, backward, (torch.cuda.max_memory_allocated() - before - kept) / 2**30


def flex_loop(tokens, compiled):
    """One depth after another, as a trainer runs them; backward from the last depth down, gradients summed by autograd."""
    inputs = []

    def mask(b, h, q, c):
        return torch.where(c < tokens, c <= q, c % tokens == q)

    for depth in range(DEPTHS):
        block_mask = create_block_mask(mask, 1, 1, tokens, (depth + 1) * tokens, device="cuda", _compile=True)
        q = normal(1, HEADS, tokens, DIM).requires_grad_()
        k, v = (normal(1, KV_HEADS, (depth + 1) * tokens, DIM).requires_grad_() for _ in range(2))
        inputs.append((q, k, v, block_mask))
    d_o = normal(1, HEADS, tokens, DIM)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    def forward():
        return [compiled(q, k, v, block_mask=m, enable_gqa=True) for q, k, v, m in inputs]

    outputs = forward()

    def backward():
        for (q, k, v, _), o in zip(reversed(inputs), reversed(outputs)):
            torch.autograd.grad(o, (q, k, v), d_o, retain_graph=True)

    forward_ms = median_ms(forward)
    backward_ms = median_ms(backward)
    kept = sum(o.numel() * o.element_size() for o in outputs)  # what training keeps anyway
    return forward_ms, backward_ms, (torch.cuda.max_memory_allocated() - before - kept) / 2**30


def matmul_tflops():
    a, b = normal(8192, 8192), normal(8192, 8192)
    return 2 * 8192**3 / median_ms(lambda: a @ b) * 1e-9


def query_gradient_mib(size):
    """fp32 d_q of one depth, which lies in our scratch."""
    rows = {"ragged": sum(RAGGED), "half_of_32768": 16384}.get(size) or int(size)
    return rows * HEADS * DIM * 4 / 2**20


def ours(program, only=None):
    """{name: (forward ms, backward ms, GiB)} of `eyrie bench attention --device cuda`, which times the forwards alone and with
    the backwards behind them."""
    command = [program, "bench", "attention", "--device", "cuda"] + (["--only", only] if only else [])
    running, text = subprocess.Popen(command, stdout=subprocess.PIPE, text=True), ""
    for line in running.stdout:
        print(line, end="", flush=True)  # as it comes: a run that is cut short has told what it measured
        text += line
    if running.wait() != 0:
        sys.exit(f"{' '.join(command)} failed")
    found = {}
    figures = r"\s+([\d.]+) +[\d.]+ TFLOP/s +[\d.]+ +\d+ % +([\d.]+)$"  # a long name has a line of its own
    for name, what, ms, mib in re.findall(r"^(\w+/\w+)/(forward(?:\+backward)?)" + figures, text, re.M):
        found.setdefault(name, {})[what] = float(ms), float(mib)
    rows = {}
    for name, times in found.items():
        if len(times) == 2:
            (forward, _), (both, mib) = times["forward"], times["forward+backward"]
            gib = max(mib - query_gradient_mib(name.split("/")[1]), 0) / 1024
            rows[name] = (forward, both - forward, gib)
    return rows


def attempt(call):
    try:
        return call()
    except (RuntimeError, TypeError) as error:
        print(f"  ({str(error).splitlines()[0][:100]})")
        return None
    finally:
        torch.cuda.empty_cache()


def peers_of(only):
    peers = [peer for peer in (Fa2, Cudnn) if peer.name in only]
    for peer in peers:
        def step():
            inputs = peer.inputs(1, 256)
            saved = peer.forward(*inputs)
            return peer.backward(torch.randn_like(saved[0]), *inputs, saved)
        peer.grouped = attempt(step) is not None
    return peers


def time_peers(only):
    rows = {}

    def add(name, call):
        row = attempt(call)
        if row:
            rows[name] = row
            print(f"{name:<22}{row[0]:>10.3f}{row[1]:>10.3f}", flush=True)

    for peer in peers_of(only):
        for tokens in SIZES:
            add(f"{peer.name}/{tokens}", lambda: causal_loop(peer, 1, tokens))
        add(f"{peer.name}/ragged", lambda: causal_loop(peer, len(RAGGED), max(RAGGED)))
    if "flex" in only:
        compiled = torch.compile(flex_attention, dynamic=False)
        torch._dynamo.config.recompile_limit = 4 * DEPTHS  # beyond it, explicit scores
        torch._functorch.config.donated_buffer = False  # backward runs more than once
        for tokens in FLEX_SIZES:
            torch._dynamo.reset()
            add(f"flex/{tokens}", lambda: flex_loop(tokens, compiled))
    return rows


def print_table(rows):
    print(f"\n{'':<22}{'forward':>10}{'backward':>10}{'both ms':>10}{'of fa2':>9}{'GiB *':>8}")
    ratios = {}
    for size in [str(s) for s in SIZES] + ["ragged", "half_of_32768"]:
        plain = rows.get(f"fa2/{size}")
        for name in [n for n in rows if n.split("/")[1] == size]:
            forward, backward, gib = rows[name]
            ratio = (forward + backward) / (plain[0] + plain[1]) if plain else None
            if ratio and size.isdigit():
                ratios.setdefault(name.split("/")[0], []).append(ratio)
            shown = f"{ratio:9.3f}" if ratio else " " * 9
            print(f"{name:<22}{forward:>10.3f}{backward:>10.3f}{forward + backward:>10.3f}{shown}{gib:>8.3f}")
    print("*: beside inputs, outputs, gradients and (ours) one depth's fp32 d_q; peers: of one depth, flex: of all")
    for name, values in ratios.items():
        print(f"{name:<8} of plain causal fa2: geometric mean {statistics.geometric_mean(values):.3f}, "
              f"worst {max(values):.3f} of {len(values)} sizes")
    whole, half = rows.get("fused/32768"), rows.get("fused/half_of_32768")
    if whole and half:
        print(f"fused, rows compacted to the last half: {(half[0] + half[1]) / (whole[0] + whole[1]):.3f} of the whole")


def relative(found, expected):
    return ((found.double() - expected).norm() / expected.norm()).item()


def peer_errors():
    """FA2's own error on 512 tokens, plain causal, against float64."""
    torch.manual_seed(0)
    q, k, v = Fa2.inputs(1, 512)
    d_o = torch.randn_like(q)
    saved = Fa2.forward(q, k, v)
    gradients = Fa2.backward(d_o, q, k, v, saved)
    exact = [t.double().requires_grad_() for t in (q, k, v)]
    wide_q, wide_k, wide_v = exact[0], *(t.repeat_interleave(HEADS // KV_HEADS, 2) for t in exact[1:])
    scores = torch.einsum("bqhd,bkhd->bhqk", wide_q, wide_k) * DIM**-0.5
    scores = scores.masked_fill(torch.ones(512, 512, device="cuda").triu(1).bool(), float("-inf"))
    o = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), wide_v)
    expected = torch.autograd.grad(o, exact, d_o.double())
    errors = [relative(saved[0], o)] + [relative(g, e) for g, e in zip(gradients, expected)]
    print("fa2/errors          " + "".join(f"{e:>11.2e}" for e in errors) + "   o, d_q, d_k, d_v")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eyrie", default="build/cuda/eyrie")
    parser.add_argument("--only", default="fa2,cudnn,flex,eyrie")
    parser.add_argument("--errors", action="store_true", help="FA2's own errors against float64, beside ours")
    options = parser.parse_args()
    only = options.only.split(",")
    start = time.monotonic()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}: "
          f"matmul {matmul_tflops():.0f} TFLOP/s")
    rows = time_peers([name for name in only if name != "flex"])
    print(f"key-value heads as they are: fa2 {Fa2.grouped}, cudnn {Cudnn.grouped}")
    if "eyrie" in only:
        torch.cuda.empty_cache()
        rows |= ours(options.eyrie)
    print_table(rows)
    if "flex" in only:  # last: most of its time goes into compiling
        print_table(rows | time_peers(["flex"]))
    if options.errors:
        peer_errors()
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
