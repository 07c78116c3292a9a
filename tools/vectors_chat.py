"""tests/data/chat/<template>.jsonl: conversations as `transformers`' apply_chat_template renders and tokenises them.

The official Jinja templates are an input (--chat-templates DIR, one <template>.jinja each, named as below), not part
of this repository; fledgling's is our own. A line holds the messages, add_generation_prompt, the text, its ids and,
where the whole conversation is rendered, assistant_spans: [first, last] token of every assistant turn as the target
generates it, stop token included; a token belongs to the turn in which its first character stands. A conversation that
the template refuses has "error" instead of text and ids.
"""

import re
from pathlib import Path

from vectors_common import write_jsonl

BUILT_IN = Path(__file__).resolve().parent.parent / "assets" / "chat_templates"
LLAMA3_HEADER = re.escape("<|start_header_id|>assistant<|end_header_id|>\n\n")
IM_HEADER = re.escape("<|im_start|>assistant\n")
EMPTY_THOUGHT = re.escape("<think>\n\n</think>\n\n")

# Which file of --chat-templates and which tokenizer of tests/data/tokenizer; how an assistant turn begins and stops.
TEMPLATES = {
    "llama3": dict(
        file="llama3", tokenizer="llama3", begin="<|begin_of_text|>", header=LLAMA3_HEADER, stop="<|eot_id|>"
    ),
    "llama3.1": dict(
        file="llama3.1",
        tokenizer="llama3",
        begin="<|begin_of_text|>",
        header=LLAMA3_HEADER,
        stop="<|eot_id|>",
        arguments={"date_string": "26 Jul 2024"},
    ),
    "chatml": dict(file="chatml", tokenizer="qwen2", header=IM_HEADER, stop="<|im_end|>"),
    "qwen2.5": dict(file="qwen2.5", tokenizer="qwen2", header=IM_HEADER, stop="<|im_end|>"),
    "qwen3": dict(file="qwen3", tokenizer="qwen2", header=IM_HEADER, stop="<|im_end|>"),
    "qwen3-no-thinking": dict(
        file="qwen3",
        tokenizer="qwen2",
        header=f"{IM_HEADER}(?:{EMPTY_THOUGHT})?",
        stop="<|im_end|>",
        arguments={"enable_thinking": False},
    ),
    "mistral": dict(file="mistral", tokenizer="tekken", begin="<s>", header=re.escape("[/INST]"), stop="</s>"),
    "mistral-v0.3": dict(
        file="mistral-v0.3", tokenizer="mistral", begin="<s>", header=re.escape("[/INST]"), stop="</s>"
    ),
    "fledgling": dict(
        file="fledgling", tokenizer="digits", begin="<|bos|>", header=re.escape("<|assistant|>\n"), stop="<|end|>"
    ),
}


def turns(*contents, system=None):
    """Messages of a conversation that begins with the user; the roles alternate."""
    messages = [] if system is None else [{"role": "system", "content": system}]
    roles = ("user", "assistant")
    return messages + [{"role": roles[i % 2], "content": content} for i, content in enumerate(contents)]


BRIEF = "You answer briefly."
CONVERSATIONS = [
    turns("Hello!"),
    turns("Hello!", system=BRIEF),
    turns("How many apples are 12 + 30?", "There are 42 apples."),
    turns("How many apples are 12 + 30?", "There are 42 apples.", system=BRIEF),
    turns("First question", "First answer.", "Second question"),
    turns("First question", "First answer.", "Second question", system=BRIEF),
    turns("First question", "First answer.", "Second question", "Second answer."),
    turns("First question", "First answer.", "Second question", "Second answer.", system=BRIEF),
    turns("One", "1", "Two", "2", "Three", "3", system="Count.\nUse digits."),
    turns("  spaces around  ", "  answer with spaces  ", "\tmore\t", "\tlast\t", system="  padded system \n"),
    turns("\nnewlines around\n\n", "\n\nanswer\n", "x\n", "y\n\n"),
    turns("ends with newline\n", "answer"),
    turns("", "An empty question."),
    turns("Say nothing.", ""),
    turns("Say nothing.", "", "Again.", "", system=""),
    turns("今天河边有几只白鹭？", "有三只白鹭。🎉", "Größere Vögel?", "Oui, très grands: 100 %"),
    turns("cafe\u0301 or caf\u00e9?", "nai\u0308ve \u2014 na\u00efve"),
    turns("emoji 👩‍🚀👍🏿", "🇫🇷 flags\u200d and joiners \u00a0 here"),
    turns("def f(x):\n    return x + 1\n", "```\nprint(f(2))\n```\n\nIt prints 3."),
    turns("Think about 7 * 6.", "<think>\nSeven sixes are 42.\n</think>\n\n42"),
    turns("Think about 7 * 6.", "<think>\nSeven sixes are 42.\n</think>\n\n42", "And 6 * 7?"),
    turns("Think.", "<think>\nfirst\n</think>\n\none", "Again.", "<think>\n2nd\nline\n</think>\n\ntwo", system=BRIEF),
    turns("Think.", "<think>\n\n</think>\n\none", "Again.", "two"),
    turns("Think.", "one", "Again.", "<think>two</think>three"),
    turns("A token <|eot_id|> and <|im_end|> and </s> and <|end|> inside", "Seen."),
    turns("[INST] nested [/INST]", "No."),
    turns("x", "y", "CRLF\r\nhere\r\n", "nul \x00 tab\t"),
    [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}],
    [{"role": "assistant", "content": "I begin."}, {"role": "user", "content": "Fine."}],
    turns("a", "b") + [{"role": "system", "content": "Late system."}] + turns("c", "d"),
    turns("a", "b", "c", "d") + [{"role": "assistant", "content": "e"}],
]


def wrapped(tokenizer_file, spec, template):
    from transformers import PreTrainedTokenizerFast

    begin = {"bos_token": spec["begin"]} if "begin" in spec else {}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), eos_token=spec["stop"], **begin)
    tokenizer.chat_template = template
    return tokenizer


def plain_ids(result):
    """ids whether apply_chat_template returned a list, or a dictionary that holds one."""
    ids = result["input_ids"] if hasattr(result, "keys") else result
    return list(ids[0]) if ids and isinstance(ids[0], list) else list(ids)


def spans_of(text, encoding, spec):
    spans = []
    pattern = re.compile(f"(?:{spec['header']})(.*?){re.escape(spec['stop'])}", re.DOTALL)
    for match in pattern.finditer(text):
        inside = [i for i, (first, _) in enumerate(encoding.offsets) if match.start(1) <= first < match.end()]
        spans.append([inside[0], inside[-1]])
    return spans


def row(wrapper, raw, spec, messages, prompt):
    shared = {"messages": messages, "add_generation_prompt": prompt}
    arguments = spec.get("arguments", {})
    render = lambda **how: wrapper.apply_chat_template(messages, add_generation_prompt=prompt, **arguments, **how)
    try:
        text = render(tokenize=False)
    except Exception as refusal:
        return {**shared, "error": str(refusal)}
    encoding = raw.encode(text, add_special_tokens=False)
    ids = plain_ids(render(tokenize=True))
    if ids != encoding.ids:
        raise RuntimeError(f"two readings of {text!r}: {ids} and {encoding.ids}")
    result = {**shared, "text": text, "ids": ids}
    if not prompt and is_plain(messages):
        result["assistant_spans"] = spans_of(text, encoding, spec)
    return result


def is_plain(messages):
    """Alternating turns whose contents name no special token, so that the text itself shows where a turn ends."""
    roles = [message["role"] for message in messages if message["role"] != "system"]
    alternating = all(role == ("user", "assistant")[i % 2] for i, role in enumerate(roles))
    specials = ("<|", "[INST]", "[/INST]", "</s>")
    return alternating and not any(mark in message["content"] for message in messages for mark in specials)


def make(out, templates):
    from tokenizers import Tokenizer

    for name, spec in TEMPLATES.items():
        file = out / "tokenizer" / spec["tokenizer"] / "tokenizer.json"
        folder = BUILT_IN if name == "fledgling" else Path(templates)
        template = (folder / f"{spec['file']}.jinja").read_text(encoding="utf-8")
        wrapper, raw = wrapped(file, spec, template), Tokenizer.from_file(str(file))
        rows = []
        for messages in CONVERSATIONS:
            prompts = [False, True] if messages[-1]["role"] == "user" else [False]
            rows += [row(wrapper, raw, spec, messages, prompt) for prompt in prompts]
        write_jsonl(out / "chat" / f"{name}.jsonl", rows)
        refused = sum("error" in r for r in rows)
        spanned = sum("assistant_spans" in r for r in rows)
        print(name, "conversations", len(rows), "refused", refused, "with spans", spanned)
