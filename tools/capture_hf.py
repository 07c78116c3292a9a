#!/usr/bin/env python3
"""Captures EAGLE-3 training features from any causal model of `transformers`.

    python3 tools/capture_hf.py --model DIR --input FILE.jsonl --output DIR [--dtype f32|bf16] [--tap-ids 1,15,28]

Writes features-00000.safetensors, features-00001.safetensors, ... into the output folder, in the input's order. Each is
one packed batch: whole sequences end to end, no padding, until the next would pass --tokens-per-file.
Tensors: input_ids i64[T], cu_seqlens i32[B+1], aux_hidden_states [T, taps * Ht] (the residual stream leaving the tapped
layers, un-normed, side by side in id order), last_hidden_states [T, Ht] (after the final norm), loss_mask u8[T].
Metadata: format_version, tap_ids (a JSON array), tokenizer_hash (FNV-1a of tokenizer.json).

A line {"input_ids": [...], "loss_mask": [...]} needs no tokenizer. A line with "messages" or "conversations" is
rendered with the model's own chat template; its assistant turns are found by rendering the conversation up to each
turn, and a line whose turns cannot be found that way is refused: give its ids and mask instead.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from vectors_common import fnv1a64

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
ROLES = {"human": "user", "gpt": "assistant"}


def arguments_of(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--dtype", choices=DTYPES, default="f32", help="of the model as it runs and of the files")
    parser.add_argument("--tap-ids", help="layers whose output is kept; default 1, L/2-1, L-4")
    parser.add_argument("--tokens-per-file", type=int, default=8192)
    parser.add_argument("--max-length", type=int, default=4096, help="longer sequences are cut here, and counted")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args(argv)


def messages_of(line):
    turns = line.get("messages") or line["conversations"]
    roles = [turn.get("role", turn.get("from")) for turn in turns]
    contents = [turn.get("content", turn.get("value")) for turn in turns]
    return [{"role": ROLES.get(role, role), "content": content} for role, content in zip(roles, contents)]


def rendered(tokenizer, messages, prompt):
    ids = tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=prompt)
    return list(ids["input_ids"] if hasattr(ids, "keys") else ids)


def tokens_and_mask(tokenizer, messages):
    """Ids of the whole conversation; the mask covers what the target generates, its stop token included."""
    ids = rendered(tokenizer, messages, False)
    mask = [0] * len(ids)
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = rendered(tokenizer, messages[:i], True)
        after = rendered(tokenizer, messages[: i + 1], False)
        if after[: len(before)] != before or ids[: len(after)] != after:
            raise ValueError(f"turn {i}: the template renders it differently inside the conversation")
        last = len(after) - 1
        while last > len(before) and after[last] not in tokenizer.all_special_ids:
            last -= 1
        mask[len(before) : last + 1] = [1] * (last + 1 - len(before))
    return ids, mask


def sequences(path, tokenizer_of, max_length):
    """(ids, loss_mask) of every line; a bad line ends the run with its number."""
    cut = 0
    for number, text in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            if "input_ids" in line:
                ids, mask = line["input_ids"], line["loss_mask"]
            else:
                ids, mask = tokens_and_mask(tokenizer_of(), messages_of(line))
            if not ids or len(ids) != len(mask):
                raise ValueError(f"{len(ids)} ids, {len(mask)} mask values")
        except (ValueError, KeyError, TypeError) as problem:
            sys.exit(f"{path}:{number}: {problem}")
        cut += len(ids) > max_length
        yield ids[:max_length], mask[:max_length]
    if cut:
        print(f"{cut} sequences cut at {max_length} tokens", file=sys.stderr)


def decoder_layers(model):
    """The longest list of modules is the stack of layers, whatever the architecture calls it."""
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    return max(lists, key=len)


class Capture:
    """Runs one sequence and keeps the output of the tapped layers and of the base model."""

    def __init__(self, model, tap_ids):
        self.base = model.base_model
        self.taps = {}
        layers = decoder_layers(model)
        self.tap_ids = tap_ids or default_tap_ids(len(layers))
        if not all(0 <= i < len(layers) for i in self.tap_ids):
            sys.exit(f"tap ids {self.tap_ids}: the model has layers 0..{len(layers) - 1}")
        for i in self.tap_ids:
            layers[i].register_forward_hook(self.keep(i))

    def keep(self, i):
        def hook(module, inputs, output):
            self.taps[i] = output[0] if isinstance(output, tuple) else output

        return hook

    def __call__(self, ids, device):
        with torch.no_grad():
            last = self.base(torch.tensor([ids], device=device), use_cache=False).last_hidden_state
        rows = lambda x: x.reshape(len(ids), -1)
        return torch.cat([rows(self.taps[i]) for i in self.tap_ids], dim=-1).cpu(), rows(last).cpu()


def default_tap_ids(layers):
    if layers < 7:
        sys.exit(f"the model has {layers} layers: give --tap-ids")
    return [1, layers // 2 - 1, layers - 4]


def tokenizer_hash(model):
    file = model / "tokenizer.json"
    return fnv1a64(file.read_bytes()) if file.exists() else ""


class Writer:
    """Packs sequences into features-NNNNN.safetensors."""

    def __init__(self, folder, tokens_per_file, dtype, metadata):
        self.folder, self.tokens_per_file, self.dtype, self.metadata = folder, tokens_per_file, dtype, metadata
        self.rows, self.files = [], 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, ids, mask, taps, last):
        held = sum(len(row[0]) for row in self.rows)
        if self.rows and held + len(ids) > self.tokens_per_file:
            self.flush()
        self.rows.append((ids, mask, taps, last))

    def flush(self):
        if not self.rows:
            return
        ids, masks, taps, lasts = zip(*self.rows)
        bounds = [sum(len(row) for row in ids[:i]) for i in range(len(ids) + 1)]
        tensors = {
            "input_ids": torch.tensor(sum(map(list, ids), []), dtype=torch.int64),
            "cu_seqlens": torch.tensor(bounds, dtype=torch.int32),
            "aux_hidden_states": torch.cat(taps).to(self.dtype).contiguous(),
            "last_hidden_states": torch.cat(lasts).to(self.dtype).contiguous(),
            "loss_mask": torch.tensor(sum(map(list, masks), []), dtype=torch.uint8),
        }
        save_file(tensors, str(self.folder / f"features-{self.files:05d}.safetensors"), metadata=self.metadata)
        self.rows, self.files = [], self.files + 1


def main(argv=None):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    a = arguments_of(argv)
    dtype = DTYPES[a.dtype]
    model = AutoModelForCausalLM.from_pretrained(a.model, dtype=dtype).eval().to(a.device)
    capture = Capture(model, sorted({int(i) for i in a.tap_ids.split(",")}) if a.tap_ids else None)
    metadata = {
        "format_version": "1",
        "tap_ids": json.dumps(capture.tap_ids),
        "tokenizer_hash": tokenizer_hash(a.model),
    }
    writer, tokenizers, tokens, lines = Writer(a.output, a.tokens_per_file, dtype, metadata), [], 0, 0

    def tokenizer_of():
        if not tokenizers:
            tokenizers.append(AutoTokenizer.from_pretrained(a.model))
        return tokenizers[0]

    for ids, mask in sequences(a.input, tokenizer_of, a.max_length):
        writer.add(ids, mask, *capture(ids, a.device))
        tokens, lines = tokens + len(ids), lines + 1
    writer.flush()
    print(f"{lines} sequences, {tokens} tokens, {writer.files} files in {a.output}")


if __name__ == "__main__":
    main()
