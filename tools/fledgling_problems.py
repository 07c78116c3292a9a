"""Grade-school word problems with worked solutions, drawn from the templates and topics of fledgling_templates.py.

Every result is a whole number from 2 to 999; the last one is the answer, said once more and repeated behind `####`.
Held out from training: every eighth pair of template and topic, and one in sixteen of the number tuples.
"""

import random
import re
import zlib
from dataclasses import dataclass

from fledgling_templates import MEN, TEMPLATES, TOPICS, WOMEN

LARGEST = 999


@dataclass
class Template:
    kind: str
    name: str
    numbers: dict  # letter -> (smallest, largest)
    question: str
    steps: list


@dataclass
class Problem:
    question: str
    steps: list
    answer: int
    template: str
    topic: str

    @property
    def solution(self):
        return "\n".join([*self.steps, f"So the answer is {self.answer}.", f"#### {self.answer}"])


def _read_templates():
    templates = []
    for block in TEMPLATES.strip().split("\n\n"):
        head, question, *steps = block.split("\n")
        kind, name, ranges = (part.strip() for part in head.split("|"))
        numbers = {}
        for item in ranges.split():
            letter, low, high = re.fullmatch(r"(\w)=(\d+)\.\.(\d+)", item).groups()
            numbers[letter] = (int(low), int(high))
        templates.append(Template(kind, name, numbers, question, steps))
    return templates


def _read_topics():
    topics = {}
    for kind, (slots, lines) in TOPICS.items():
        topics[kind] = [dict(zip(slots.split(), line.strip().split("/"))) for line in lines.split("\n")]
    return topics


TEMPLATE_LIST = _read_templates()
TOPIC_LIST = _read_topics()
EQUATION = re.compile(r"\{(\w)=(\w+)([-+*/])(\w+)\}")


def pair_is_held_out(template_index, topic_index):
    return (topic_index + 5 * template_index) % 8 == 0


def numbers_are_held_out(template, values):
    key = template.name + ":" + ",".join(str(value) for value in values.values())
    return zlib.crc32(key.encode()) % 16 == 0


def _work_out(template, values):
    """The values with every step's result added, or None where one is not a whole number from 2 to 999."""
    values = dict(values)
    for step in template.steps:
        name, left, sign, right = EQUATION.search(step).groups()
        left = values[left] if left in values else int(left)
        right = values[right] if right in values else int(right)
        if sign == "/":
            if left % right:
                return None
            result = left // right
        else:
            result = {"+": left + right, "-": left - right, "*": left * right}[sign]
        if not 2 <= result <= LARGEST:
            return None
        values[name] = result
    return values


def _draw_values(random_source, template, held_out):
    while True:
        values = {letter: random_source.randint(*bounds) for letter, bounds in template.numbers.items()}
        worked = _work_out(template, values)
        if worked and numbers_are_held_out(template, values) == held_out:
            return worked


def _people(random_source):
    woman = random_source.random() < 0.5
    name = random_source.choice(WOMEN if woman else MEN)
    friend, third = random_source.sample([other for other in WOMEN + MEN if other != name], 2)
    pronouns = ("she", "her", "her") if woman else ("he", "his", "him")
    he, his, him = pronouns
    return {"name": name, "friend": friend, "third": third, "he": he, "He": he.capitalize(), "his": his, "him": him}


def _fill(text, words):
    text = EQUATION.sub(lambda m: "{%s} %s {%s} = {%s}" % (m[2], m[3], m[4], m[1]), text)
    return re.sub(r"\{(\w+)\}", lambda m: str(words.get(m[1], m[1])), text)


def _choose_wording(random_source, text):
    return re.sub(r"\[([^\]]*)\]", lambda m: random_source.choice(m[1].split("|")), text)


def draw_problem(random_source, held_out=False, template_index=None):
    """One problem from the training side, or from the held-out side (pair and numbers both unseen in training)."""
    if template_index is None:
        template_index = random_source.randrange(len(TEMPLATE_LIST))
    template = TEMPLATE_LIST[template_index]
    topics = TOPIC_LIST[template.kind]
    topic = topics[
        random_source.choice([i for i in range(len(topics)) if pair_is_held_out(template_index, i) == held_out])
    ]
    values = _draw_values(random_source, template, held_out)
    words = {**topic, **_people(random_source), **values}
    question = _fill(_choose_wording(random_source, template.question), words)
    steps = [_fill(step, words) for step in template.steps]
    answer = values[EQUATION.search(template.steps[-1])[1]]
    return Problem(question, steps, answer, template.name, "/".join(topic.values()))


def held_out_problems(seed, count):
    """`count` distinct held-out problems, the templates taken in turn."""
    random_source = random.Random(f"held out {seed}")
    problems = {}
    while len(problems) < count:
        problem = draw_problem(random_source, held_out=True, template_index=len(problems) % len(TEMPLATE_LIST))
        problems[problem.question] = problem
    return list(problems.values())
