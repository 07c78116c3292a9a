#!/usr/bin/env python3
"""tests/data/jinja/<group>.jsonl: small templates as jinja2 renders them with transformers' settings.

    python3 tools/vectors_jinja.py [--out tests/data/jinja]

Needs jinja2 (made with 3.1.6) and nothing else. A line is `template`, `variables` and what came of it: `text`, or `error`
("parse" or "render": what refused it). `generation`: [begin, end] bytes of what stands in {% generation %} blocks.
`strftime_now` tells 2024-07-26 09:05:03, a Friday. The cases are in vectors_jinja_cases.py.
"""

import argparse
import copy
import json
from datetime import datetime
from pathlib import Path

from jinja2 import TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vectors_common import write_jsonl
from vectors_jinja_cases import GROUPS

NOW = datetime(2024, 7, 26, 9, 5, 3)
BEGIN, END = "\ue000", "\ue001"  # stand around generated text until its bytes are counted


class Generation(Extension):
    """{% generation %} as a block that calls back, as transformers' own extension is."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller):
        return BEGIN + caller() + END


def raise_exception(message):
    raise TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = NOW.strftime
    return made


def without_marks(text):
    """The text and the outermost, non-empty ranges between its marks, in bytes."""
    plain, ranges, depth, begin = "", [], 0, 0
    for character in text:
        size = len(plain.encode())
        if character == BEGIN:
            begin = size if depth == 0 else begin
            depth += 1
        elif character == END:
            depth -= 1
            if depth == 0 and size > begin:
                ranges.append([begin, size])
        else:
            plain += character
    return plain, ranges


def outcome(template, variables):
    try:
        compiled = environment().from_string(template)
    except (TemplateSyntaxError, SyntaxError):
        return {"error": "parse"}
    try:
        text, ranges = without_marks(compiled.render(**copy.deepcopy(variables)))
    except Exception:  # whatever Python raises there ends the rendering
        return {"error": "render"}
    assert " object at 0x" not in text and "<generator" not in text, template
    return {"text": text, "generation": ranges} if ranges else {"text": text}


def make(out):
    for group, cases in GROUPS.items():
        rows = []
        for case in cases:
            template, variables = case if isinstance(case, tuple) else (case, {})
            rows.append({"template": template, "variables": variables, **outcome(template, variables)})
        write_jsonl(Path(out) / f"{group}.jsonl", rows)
        print(group, len(rows), "refused", sum("error" in row for row in rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "tests/data/jinja")
    make(parser.parse_args().out)
