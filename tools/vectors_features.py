"""tests/data/features/llama-3.1/: what capture_hf.py writes for a small model and three lines of ids."""

import random

import capture_hf
from vectors_common import seed_of, write_jsonl

MODEL = "llama-3.1"
VOCABULARY = 131
LENGTHS = (9, 1, 14)
TOKENS_PER_FILE = 12  # below two lines together: a line is never cut, so three lines make two files


def make(out):
    chance = random.Random(seed_of("features"))
    path = out / "features" / MODEL
    rows = []
    for length in LENGTHS:
        ids = [chance.randrange(VOCABULARY) for _ in range(length)]
        rows.append({"input_ids": ids, "loss_mask": [int(i > length // 3) for i in range(length)]})
    write_jsonl(path / "input.jsonl", rows)
    capture_hf.main([
        "--model", str(out / "models" / MODEL),
        "--input", str(path / "input.jsonl"),
        "--output", str(path),
        "--tokens-per-file", str(TOKENS_PER_FILE),
        "--device", "cpu",
    ])
