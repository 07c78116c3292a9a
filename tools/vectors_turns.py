"""tests/data/chat_templates/turns/<name>.jsonl: what the model is given of a conversation, and what it writes then.

The rule is docs/data.md's "What is supervised", clauses a, b and c, read on strings; C and W are its letters. A line
holds `messages`, `tools` where they are given, `variables`, `stop_tokens` (the config files', the first one first)
and `turns`, one for every assistant's turn: `index`, `rule` (a, b, c, or context where no user's or tool's message is
directly before it), `context`, `span` (up to and with its stop token), `appended` where the template writes no such
token, `shares` (whether the turn goes on in the sequence of the one before), `supervised` ([first, end) bytes of `span`
where generation blocks choose). Reasoning is thought that is not blank, in a field or before the content's </think>.
A conversation that the template refuses is left out.
"""

import dataclasses
import os
import re

import jinja2
import jinja2.meta

import shape_conversations as said
from shape_conversations import assistant, result, user
from vectors_common import write_jsonl
from vectors_shapes import BUILT_IN, BUILT_IN_SHAPES, IM, LLAMA, SHAPES, Shape, environment, renamed, unmarked

WORDS = ("lamp", "drof")  # "other words"; they share no letter
THOUGHTS = ("reasoning_content", "thinking", "reasoning")
SWITCHES = {"enable_thinking", "thinking"}
# Spelled so in the models' tokenizers, and recognised in any text.
ADDED = re.compile(r"<\|[^|<>\s]+\|>|<｜[^｜<>]+｜>|</?(?:s|think|tool_call)>|<(?:start|end)_of_turn>|\[/?INST\]")

# eos_token_id in the models' files, where it is not the eos_token alone.
STOP_TOKENS = {
    "gpt-oss": ["<|return|>", "<|endoftext|>", "<|call|>"],
    "glm-4.5": ["<|endoftext|>", "<|user|>", "<|observation|>"],
    "llama3.1": ["<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"],
}
# Every built-in template; with a date, for a day's turns are the next day's.
BUILT_IN_TURNS = BUILT_IN_SHAPES | {
    "llama3.1": Shape(calling=said.CALLING, tokens={**LLAMA, "date_string": "26 Jul 2024"}),
    "chatml": Shape(tokens=IM),
    "fledgling": Shape(tokens={"bos_token": "<|bos|>", "eos_token": "<|end|>"}),
}

TOOLS = [said.function("now", "The time.", {}, [])]
NOW = said.call("now", {"zone": "+1"})
ASKS = assistant("", tool_calls=[NOW])
# Answers that begin as words do that a reader of the rule may choose for "other words".
LIKE_WORDS = [
    said.BRIEF,
    user("Which?"),
    assistant("lampreys"),
    user("Not"),
    assistant("drab"),
    user("but"),
    assistant("zebus run amok"),
]
BLANK_THOUGHT = [
    user("Hello"),
    assistant("Hi.", reasoning_content=" \n"),
    user("Bye"),
    assistant("<think>\n\n</think>\n\nBye."),
]
THINKS_INSIDE = [user("6 * 7?"), assistant("<think>\n6 * 7 is 42.\n</think>\n\n42"), user("6 * 8?"), assistant("48")]
CLOSES = [user("6 * 7?"), assistant(" It is 42.</think>\n42 \n")]
# A system message behind an answer, and an answer behind an answer.
OUT_OF_ORDER = [user("a"), assistant("b"), said.system("Late."), assistant("c"), user("d"), assistant("e")]
PLAIN = said.PLAIN[1:5] + said.ORDERS[:1] + [OUT_OF_ORDER, LIKE_WORDS]
THINKING = [said.THINKING[0], said.THINKING[2], said.THINKING[3], BLANK_THOUGHT, THINKS_INSIDE, CLOSES]
CALLING = [
    [user("Time?"), ASKS, result("3", name="now"), assistant("It is 3."), user("Thanks."), assistant("Bye.")],
    [said.BRIEF, user("Time?"), assistant("I look. ", tool_calls=[NOW]), result("3", name="now"), assistant("lamp")],
    [user("Time?"), assistant("It is lamp", tool_calls=[NOW])],
]
THINKS_AND_CALLS = [
    [
        user("Time?"),
        assistant("", reasoning_content="I ask.", tool_calls=[NOW]),
        result("3", name="now"),
        assistant("3", reasoning_content="It says 3."),
    ],
    [user("Time?"), assistant("<think>\nI ask.\n</think>\n\nI look.", tool_calls=[NOW])],
]


def common_suffix(*texts):
    return os.path.commonprefix([text[::-1] for text in texts])[::-1]


def field_of(message):
    return next((message[key] for key in THOUGHTS if message.get(key)), "")


def reasons(message):
    before, closed, _ = message["content"].partition("</think>")
    return bool(field_of(message).strip() or (closed and before.split("<think>")[-1].strip()))


def is_answer(messages, index):
    return index > 0 and messages[index - 1]["role"] in ("user", "tool")


def first_stop(text, stops):
    """(place, token) of the first stop token."""
    return min(((text.index(stop), stop) for stop in stops if stop in text), default=None)


@dataclasses.dataclass
class Writer:
    """A template and what it is given beside the messages."""

    template: jinja2.Template
    given: dict
    switches: set  # those of SWITCHES that the template looks up

    def write(self, messages, prompt, thinks):
        """The text, and the byte ranges of its generation blocks."""
        own = {key: thinks for key in self.switches}
        given = {"documents": None, **own, **self.given}
        return unmarked(self.template.render(messages=messages, add_generation_prompt=prompt, **given))


@dataclasses.dataclass
class Turn:
    """An assistant's turn that answers what is directly before it."""

    writer: Writer
    messages: list
    index: int

    @property
    def message(self):
        return self.messages[self.index]

    @property
    def before(self):
        return self.messages[: self.index]

    def write(self, messages, prompt=False):
        return self.writer.write(messages, prompt, reasons(self.message))[0]

    def with_words(self, fields, *after):
        """W of two turns of other words that have these fields, `after` behind them."""
        turns_of_words = [{**fields, "role": "assistant", "content": word} for word in WORDS]
        return [self.write([*self.before, turn, *after]) for turn in turns_of_words]

    def tail(self, fields=(), *after):
        """What stands behind any content."""
        return common_suffix(*self.with_words(dict(fields), *after))

    def as_model_wrote(self, prompt, whole):
        """Clause b: the turn with the block that the prompt opens, or None where the clause does not hold."""
        opened = re.search(r"<([A-Za-z_][\w.-]*)>(\s*)$", prompt)
        if not opened:
            return None
        name, space = opened.groups()
        content, field = self.message["content"], field_of(self.message)
        tail = self.tail(self.message)  # tool calls stand behind the content
        if f"</{name}>" in content:
            opening = re.match(rf"\s*<{re.escape(name)}>", content)
            return (content[opening.end() :].removeprefix(space) if opening else content) + tail
        if field.strip() not in whole:  # a blank one is in every text
            return f"{field}\n</{name}>\n\n{content}{tail}"
        return None

    def parted(self):
        """rule, context, what is written behind it."""
        prompt, whole = self.write(self.before, True), self.write(self.messages[: self.index + 1])
        if whole.startswith(prompt):
            return "a", prompt, whole[len(prompt) :]
        written = self.as_model_wrote(prompt, whole)
        if written is not None:
            return "b", prompt, written
        shared = os.path.commonprefix([whole, *self.with_words({})])
        return "c", shared, whole[len(shared) :]

    def next_token(self):
        """The added token with which the next message begins: the conversation's own, else a user's."""
        following = self.messages[self.index + 1] if self.index + 1 < len(self.messages) else user("q")
        fields = self.message if following["role"] == "tool" else {}  # a result needs its call
        begins = ADDED.match(self.tail(fields, following).removeprefix(self.tail(fields)))
        return begins.group() if begins else None

    def ended(self, written, stops):
        """span, its stop token, whether that was appended."""
        stop = first_stop(written, stops)
        if stop:
            place, token = stop
            return written[:place] + token, token, False
        says_nothing = not (self.message["content"] or self.message.get("tool_calls") or reasons(self.message))
        written = "" if says_nothing else written.removesuffix(self.tail())
        token = self.next_token()
        token = token if token in stops else stops[0]
        return written + token, token, True

    def supervised(self, context, span, stop):
        """The generation blocks as byte ranges of the span, and its stop token; nothing without blocks."""
        blocks = self.writer.write(self.messages[: self.index + 1], False, reasons(self.message))[1]
        begin, size = len(context.encode()), len(span.encode())
        ranges = [[max(first - begin, 0), min(end - begin, size)] for first, end in blocks]
        ranges = [[first, end] for first, end in ranges if first < end]
        if blocks and (not ranges or ranges[-1][1] < size):
            ranges.append([size - len(stop.encode()), size])
        return ranges

    def read(self, stops, latest):
        """The turn as a line holds it, and the text of its sequence up to the stop token."""
        rule, context, written = self.parted()
        span, stop, appended = self.ended(written, stops)
        ranges = [] if rule == "b" else self.supervised(context, span, stop)
        made = {"index": self.index, "rule": rule, "context": context, "span": span}
        made |= {"appended": True} if appended else {}
        made |= {"shares": latest is not None and context.startswith(latest)}
        return made | ({"supervised": ranges} if ranges else {}), context + span.removesuffix(stop)


def all_stops(writer, given):
    """Those given, and the first added token behind a last answer."""
    added = ADDED.search(Turn(writer, [user("q"), assistant("")], 1).tail())
    return given + [added.group()] if added and added.group() not in given else given


def turns(writer, messages, given_stops):
    stops, latest, made = all_stops(writer, given_stops), None, []
    for index, message in enumerate(messages):
        if message["role"] == "assistant" and is_answer(messages, index):
            turn, latest = Turn(writer, messages, index).read(stops, latest)
            made.append(turn)
        elif message["role"] == "assistant":
            made.append({"index": index, "rule": "context"})
    return made


def conversations(source, shape):
    """(messages, tools): few with thoughts where a template knows none."""
    knows_thoughts = "think" in source
    for messages in PLAIN + (THINKING if knows_thoughts else THINKING[-2:]):
        yield messages, None
    if shape.calling:
        for messages in CALLING + (THINKS_AND_CALLS if knows_thoughts else []):
            yield messages, TOOLS


def lines(source, name, shape):
    jinja = environment()
    asked_for = SWITCHES & jinja2.meta.find_undeclared_variables(jinja.parse(source))
    template, stops = jinja.from_string(source), STOP_TOKENS.get(name, [shape.tokens["eos_token"]])
    switches = [one for one in shape.switches if not one or SWITCHES & set(one)]
    for said_messages, tools in conversations(source, shape):
        messages, known = renamed(said_messages, shape.thoughts), []
        for switch in switches:
            variables = {**shape.tokens, **switch}
            writer = Writer(template, {"tools": tools, **variables}, asked_for)
            try:
                read = turns(writer, messages, stops)
            except jinja2.TemplateError:
                continue  # a template may refuse an order of roles
            if read in known:
                continue  # a switch that changes nothing
            known.append(read)
            given = {"messages": messages, **({"tools": tools} if tools else {}), "variables": variables}
            yield {**given, "stop_tokens": stops, "turns": read}


def make(out):
    folder = out / "chat_templates"
    shapes = [(folder, name, shape) for name, shape in SHAPES.items() if name != "macros"]  # no model's
    shapes += [(BUILT_IN, name, shape) for name, shape in BUILT_IN_TURNS.items()]
    for templates, name, shape in shapes:
        rows = list(lines((templates / f"{name}.jinja").read_text(encoding="utf-8"), name, shape))
        write_jsonl(folder / "turns" / f"{name}.jsonl", rows)
        rules = [turn["rule"] for row in rows for turn in row["turns"]]
        print(name, "lines", len(rows), {rule: rules.count(rule) for rule in sorted(set(rules))})
