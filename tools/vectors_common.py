"""What every part of make_vectors shares: seeds that come from names, and small JSON files."""

import hashlib
import json
from pathlib import Path


def seed_of(name):
    """A seed that depends on the name alone, so a case never changes because another was added."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "little")


def generator_of(name):
    import torch

    return torch.Generator().manual_seed(seed_of(name))


def write_json(path, value, indent=2):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def write_jsonl(path, rows):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def save_tensors(path, tensors, metadata=None):
    from safetensors.torch import save_file

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(path), metadata=metadata)


def fnv1a64(*chunks):
    """FNV-1a, 64 bits, over the chunks one after the other: 16 hexadecimal digits."""
    state = 0xCBF29CE484222325
    for chunk in chunks:
        for byte in chunk:
            state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{state:016x}"
