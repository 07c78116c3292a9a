#!/usr/bin/env python3
"""Makes the committed test vectors.

    python3 tools/make_vectors.py --out tests/data [--only PART] [--chat-templates DIR]

PART: tokenizer, template, shapes, turns, model, ttt, features. Needs torch, transformers, tokenizers, safetensors (made
with 2.11, 5.17, 0.23 and 0.8), for shapes and turns jinja2 alone (3.1.6); no GPU. Every case is seeded by its name, so
a case stays what it is when others come and go. The template part reads tests/data/tokenizer and the official Jinja
templates from --chat-templates DIR (see vectors_chat.py for the file names). What each file holds is written in
tests/data/README.md.
Every part is tried; the exit status is 1 if one of them failed.
"""

import argparse
import sys
import traceback
from pathlib import Path

PARTS = ("tokenizer", "template", "shapes", "turns", "model", "ttt", "features")


def make(part, out, templates):
    if part == "tokenizer":
        import vectors_tokenizer

        vectors_tokenizer.make(out)
    elif part == "template":
        import vectors_chat

        vectors_chat.make(out, templates)
    elif part == "shapes":
        import vectors_shapes

        vectors_shapes.make(out)
    elif part == "turns":
        import vectors_turns

        vectors_turns.make(out)
    elif part == "model":
        import vectors_model

        vectors_model.make(out)
    elif part == "ttt":
        import vectors_ttt

        vectors_ttt.make(out)
    else:
        import vectors_features

        vectors_features.make(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=PARTS, action="append", help="may be given several times")
    parser.add_argument("--chat-templates", type=Path, help="folder of official *.jinja files, for the template part")
    arguments = parser.parse_args()
    failed = []
    for part in arguments.only or PARTS:
        print(f"== {part}", flush=True)
        try:
            make(part, arguments.out, arguments.chat_templates)
        except Exception:
            traceback.print_exc()
            failed.append(part)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
