"""tests/data/chat_templates/<name>.jsonl: what jinja2 makes of the templates beside them, and of the built-in ones.

Settings and globals are those of `transformers`' apply_chat_template; its clock stands still at NOW. Every conversation
is rendered whole, and cut before and behind each assistant's turn: as the model is asked, and as it answered.
"""

import copy
import datetime
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

import shape_conversations as said
from vectors_common import write_jsonl

NOW = datetime.datetime(2026, 11, 30, 12, 0, 0)
BUILT_IN = Path(__file__).resolve().parent.parent / "assets" / "chat_templates"
# Around what a generation block renders, until its place in the whole is known.
OPEN, CLOSE = "\uf8f0", "\uf8f1"


class Generation(jinja2.ext.Extension):
    """{% generation %} ... {% endgeneration %}: renders its body between two marks."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("marked"), [], [], body).set_lineno(line)

    def marked(self, caller):
        return OPEN + caller() + CLOSE


class Refusal(jinja2.TemplateError):
    """What a template raises itself."""


def raise_exception(message):
    raise Refusal(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = NOW.strftime
    return made


def unmarked(text):
    """The text without marks, and the byte ranges that stood between them."""
    plain, ranges, begin = b"", [], 0
    for piece in re.split(f"([{OPEN}{CLOSE}])", text):
        if piece == OPEN:
            begin = len(plain)
        elif piece == CLOSE and begin < len(plain):
            ranges.append([begin, len(plain)])
        elif piece != CLOSE:
            plain += piece.encode()
    return plain.decode(), ranges


@dataclass
class Shape:
    """Which conversations a template is tried with, and the variables that it knows."""

    plain: list = field(default_factory=lambda: said.PLAIN)
    calling: list = field(default_factory=list)  # rendered with tools
    documents: list = field(default_factory=list)
    tokens: dict = field(default_factory=dict)
    switches: list = field(default_factory=lambda: [{}])  # other variables, one set after the other
    thoughts: str = "reasoning_content"  # the field in which this template looks for them


LLAMA = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
MISTRAL = {"bos_token": "<s>", "eos_token": "</s>"}
DEEPSEEK = {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"}
IM = {"eos_token": "<|im_end|>"}
THINK = [{}, {"enable_thinking": False}, {"enable_thinking": True}]

# Plain conversations of the built-in templates are in tests/data/chat, from the official ones.
BUILT_IN_SHAPES = {
    "llama3": Shape(plain=said.ORDERS, tokens=LLAMA, switches=[{}, {"bos_token": None}]),
    "llama3.1": Shape(
        plain=said.DEVELOPER,
        calling=said.CALLING + said.PARALLEL,
        tokens=LLAMA,
        switches=[{}, {"date_string": "1 Jan 2025", "tools_in_user_message": False}, {"builtin_tools": ["weather"]}],
    ),
    "qwen2.5": Shape(plain=said.DEVELOPER, calling=said.CALLING + said.PARALLEL, tokens=IM),
    "qwen3": Shape(
        plain=said.THINKING,
        calling=said.CALLING + said.PARALLEL + said.CALLING_WITH_THOUGHTS,
        tokens=IM,
        switches=THINK[:2],
    ),
    "qwen3-no-thinking": Shape(plain=said.THINKING, calling=said.CALLING_WITH_THOUGHTS, tokens=IM),
    "mistral": Shape(plain=said.ORDERS, calling=said.CALLING + said.PARALLEL, tokens=MISTRAL),
    "mistral-v0.3": Shape(plain=said.ORDERS, calling=said.CALLING + said.PARALLEL, tokens=MISTRAL),
}
SHAPES = {
    "llama-2": Shape(plain=said.PLAIN + said.ORDERS, tokens=MISTRAL),
    "mistral-v0.1": Shape(plain=said.PLAIN + said.ORDERS, tokens=MISTRAL),
    "mistral-v0.2": Shape(plain=said.PLAIN + said.ORDERS, tokens=MISTRAL),
    "mistral-small-3": Shape(
        plain=said.PLAIN + said.ORDERS + said.PARTS, calling=said.CALLING + said.PARALLEL, tokens=MISTRAL
    ),
    "qwen-2": Shape(plain=said.PLAIN + said.ORDERS, tokens=IM),
    "qwen-3-thinking": Shape(
        plain=said.PLAIN + said.THINKING,
        calling=said.CALLING + said.PARALLEL + said.CALLING_WITH_THOUGHTS,
        tokens=IM,
    ),
    "deepseek-v3": Shape(plain=said.PLAIN + said.ORDERS, calling=said.CALLING + said.PARALLEL, tokens=DEEPSEEK),
    "deepseek-r1": Shape(plain=said.PLAIN + said.THINKING, tokens=DEEPSEEK),
    "deepseek-v3.1": Shape(
        plain=said.PLAIN[:2] + said.THINKING,
        calling=said.CALLING + said.PARALLEL,
        tokens=DEEPSEEK,
        switches=[{}, {"thinking": True}],
    ),
    "gemma-3": Shape(
        plain=said.PLAIN + said.ORDERS + said.PARTS, tokens={"bos_token": "<bos>", "eos_token": "<end_of_turn>"}
    ),
    "phi-3": Shape(plain=said.PLAIN + said.DEVELOPER, tokens={"bos_token": "<s>", "eos_token": "<|endoftext|>"}),
    "phi-4": Shape(plain=said.PLAIN, tokens=IM),
    "phi-4-mini": Shape(
        plain=said.PLAIN, calling=said.CALLING + said.PARALLEL, tokens={"eos_token": "<|endoftext|>"}
    ),
    "gpt-oss": Shape(
        plain=said.PLAIN + said.THINKING + said.DEVELOPER + said.ORDERS,
        calling=said.CALLING + said.CALLING_WITH_THOUGHTS + said.BOTH,
        tokens={"bos_token": "<|startoftext|>", "eos_token": "<|return|>"},
        switches=[{}, {"reasoning_effort": "high", "model_identity": "You are a test."}],
        thoughts="thinking",
    ),
    "glm-4.5": Shape(
        plain=said.PLAIN + said.THINKING + said.PARTS,
        calling=said.CALLING + said.PARALLEL + said.CALLING_WITH_THOUGHTS,
        tokens={"eos_token": "<|endoftext|>"},
        switches=THINK[:2],
    ),
    "hermes": Shape(
        plain=said.PLAIN + said.ORDERS, calling=said.CALLING + said.PARALLEL, tokens={"bos_token": "<s>", **IM}
    ),
    "generation": Shape(plain=said.PLAIN + said.THINKING, tokens={"bos_token": "<s>", "eos_token": "<|end|>"}),
    "generation-parts": Shape(
        plain=said.PLAIN[1:3] + said.THINKING,
        calling=said.CALLING + said.PARALLEL,
        tokens={"bos_token": "<s>", "eos_token": "<|end|>"},
    ),
    "macros": Shape(
        plain=said.PLAIN + said.ORDERS + said.DEVELOPER,
        calling=said.CALLING + said.PARALLEL,
        documents=said.WITH_DOCUMENTS,
        tokens={"bos_token": "<s>"},
    ),
}


def cuts(messages):
    """(messages, add_generation_prompt): asked before each assistant's turn, answered behind it, and the whole."""
    asked = {"user", "tool"}
    for i, message in enumerate(messages):
        if message["role"] == "assistant" and i and messages[i - 1]["role"] in asked:
            yield messages[:i], True
            yield messages[: i + 1], False
    if messages[-1]["role"] in asked:
        yield messages, True
    yield messages, False


def cases(shape):
    """Every line without its result, once each."""
    tools, documents = {"tools": said.TOOLS}, {"documents": said.DOCUMENTS}
    kinds = [(shape.plain, {}), (shape.calling, tools), (shape.documents, documents)]
    lines = {}
    for conversations, given in kinds:
        for i, conversation in enumerate(conversations):
            # Every switch meets the first two conversations of a kind, the others alternate.
            for j, switches in enumerate(shape.switches):
                if i > 1 and (i + j) % len(shape.switches):
                    continue
                for messages, prompt in cuts(renamed(conversation, shape.thoughts)):
                    line = {"messages": messages, **given, "variables": {**shape.tokens, **switches}}
                    line["add_generation_prompt"] = prompt
                    lines.setdefault(json.dumps(line), line)
    return list(lines.values())


def renamed(messages, thoughts):
    return [{thoughts if key == "reasoning_content" else key: value for key, value in m.items()} for m in messages]


def rendered(template, line):
    variables = {"tools": None, "documents": None, **copy.deepcopy(line), **line["variables"]}
    try:
        text, ranges = unmarked(template.render(**variables))
    except Refusal as refusal:
        return {**line, "error": str(refusal)}
    return {**line, "text": text, **({"generation": ranges} if ranges else {})}


def make_shape(source, target, shape):
    template = environment().from_string(source.read_text(encoding="utf-8"))
    rows = [rendered(template, line) for line in cases(shape)]
    write_jsonl(target, rows)
    print(target.name, "lines", len(rows), "refused", sum("error" in row for row in rows))


def check_built_in(folder):
    """The built-in templates against what the official ones made of the same messages."""
    for file in sorted(folder.glob("*.jsonl")):
        template = environment().from_string((BUILT_IN / f"{file.stem}.jinja").read_text(encoding="utf-8"))
        for number, text in enumerate(file.read_text(encoding="utf-8").split("\n")[:-1], 1):
            line = json.loads(text)
            asked = {key: line[key] for key in ("messages", "add_generation_prompt")}
            made = rendered(template, {**asked, "variables": {"date_string": "26 Jul 2024"}})
            if (made.get("text"), made.get("error")) != (line.get("text"), line.get("error")):
                raise RuntimeError(f"{file}:{number}: {made.get('text') or made.get('error')!r}")


def make(out):
    folder = out / "chat_templates"
    check_built_in(out / "chat")
    unknown = {file.stem for file in folder.glob("*.jinja")} ^ set(SHAPES)
    if unknown:
        raise RuntimeError(f"a template without a shape, or a shape without its template: {sorted(unknown)}")
    for name, shape in SHAPES.items():
        make_shape(folder / f"{name}.jinja", folder / f"{name}.jsonl", shape)
    for name, shape in BUILT_IN_SHAPES.items():
        make_shape(BUILT_IN / f"{name}.jinja", folder / "built_in" / f"{name}.jsonl", shape)
