"""Simple chat for the bundled target: greetings, sums, small facts over a made-up closed set, follow-up questions.

A conversation is a list of (question, answer) exchanges. Every answer follows from the question and the turns before
it, so a small model can learn to give it greedily.
"""

import random

from fledgling_problems import LARGEST, draw_problem
from fledgling_templates import MEN, WOMEN

SYSTEM = "You are Fledgling, a small and friendly assistant."

GREETINGS = ["Hello!", "Hi!", "Hello there!", "Hi there!", "Good morning!", "Good evening!", "Hey!"]
FIXED = [
    (["Thank you!", "Thanks!", "Thanks a lot!"], "You are welcome! Is there anything else you would like to know?"),
    (["Goodbye!", "Bye!", "See you later!"], "Goodbye! Have a nice day."),
    (["Who are you?", "What is your name?"], "I am Fledgling, a very small language model."),
    (
        ["What can you do?", "How can you help me?"],
        "I can solve short word problems, work out sums, and tell you about the lands on my little map.",
    ),
    (["How are you?", "How are you today?"], "I am very well, thank you. How can I help you?"),
    (["Are you a person?", "Are you a human?"], "No, I am a very small language model."),
    (["What color is the sky?"], "On a clear day the sky is blue."),
    (["What color is grass?"], "Grass is green."),
    (["What color is snow?"], "Snow is white."),
    (["How many days are in a week?"], "There are 7 days in a week."),
    (["How many months are in a year?"], "There are 12 months in a year."),
    (["How many hours are in a day?"], "There are 24 hours in a day."),
    (["How many legs does a spider have?"], "A spider has 8 legs."),
    (["How many legs does a dog have?"], "A dog has 4 legs."),
]
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
OPPOSITES = """hot cold/big small/fast slow/old young/happy sad/light dark/high low/early late/open closed/full empty/
hard soft/wet dry/long short/near far/loud quiet/clean dirty/strong weak/rich poor/day night/summer winter""".replace(
    "\n", ""
).split("/")
SOUNDS = "cow/moo dog/woof cat/meow duck/quack sheep/baa owl/hoot frog/croak horse/neigh lion/roar mouse/squeak".split()
SPELLING = """apple bread chair cloud dream earth flame grass heart house knife lemon light money mouse music night
ocean paper plant queen river round sheep snake stone storm table tiger train uncle water wheel world""".split()

FOODS = "bread cheese soup honey rice fish apples plums nuts beans pancakes noodles".split()
ANIMALS = "fox owl bear heron goat swan otter hare stag crane lynx raven".split()
COLORS = "red blue green yellow white purple orange silver".split()
START = "Ar Bel Cor Dal El Fen Gar Hol Ist Jor Kel Lor Mar Nol Or Pel Ral Sol Tal Ul Vel Wen Yar Zan".split()
MIDDLE = "a e i o u".split()
PLACE_END = "land mark wood shire".split()
TOWN_END = "ton burg mouth field port".split()
RIVER_END = "ra na lin sa".split()


def _invent(random_source, end, taken):
    while True:
        word = random_source.choice(START) + random_source.choice(MIDDLE) + random_source.choice(end)
        if word not in taken:
            taken.add(word)
            return word


def invent_lands(count=48, seed="lands"):
    random_source, taken, lands = random.Random(seed), set(), []
    for _ in range(count):
        lands.append(
            {
                "land": _invent(random_source, PLACE_END, taken),
                "capital": _invent(random_source, TOWN_END, taken),
                "river": _invent(random_source, RIVER_END, taken),
                "food": random_source.choice(FOODS),
                "animal": random_source.choice(ANIMALS),
                "color": random_source.choice(COLORS),
            }
        )
    return lands


LANDS = invent_lands()

# what is asked for -> (first question, follow-up, answer)
LAND_FACTS = {
    "capital": ("What is the capital of {land}?", "And its capital?", "The capital of {land} is {capital}."),
    "river": ("Which river runs through {land}?", "And its river?", "The river {river} runs through {land}."),
    "food": ("What do people in {land} like to eat?", "And what do they eat?", "People in {land} like to eat {food}."),
    "animal": ("Which animal stands for {land}?", "And its animal?", "The animal of {land} is the {animal}."),
    "color": ("What color is the flag of {land}?", "And its flag?", "The flag of {land} is {color}."),
}
LAND_STORY = (
    "{land} is a small land on my map. Its capital is {capital}, and the river {river} runs through it. "
    "People in {land} like to eat {food}. The flag of {land} is {color}, and its animal is the {animal}."
)


def _land_talk(source):
    land = source.choice(LANDS)
    asked = source.sample(list(LAND_FACTS), source.randint(1, 3))
    exchanges = []
    if source.random() < 0.4:
        exchanges.append((f"Tell me about {land['land']}.", LAND_STORY.format(**land)))
    elif source.random() < 0.3:
        question = f"Where is {land['capital']}?"
        exchanges.append((question, "{capital} is the capital of {land}.".format(**land)))
        asked = [name for name in asked if name != "capital"]
    for name in asked:
        first, follow_up, answer = LAND_FACTS[name]
        exchanges.append(((follow_up if exchanges else first).format(**land), answer.format(**land)))
    return exchanges


def _draw_sum(source):
    sign = source.choice("++--*/")
    if sign in "+-":
        left, right = source.randint(2, 600), source.randint(2, 390)
        if sign == "-" and left < right + 2:
            left, right = right + 2, left
        return left, sign, right, left + right if sign == "+" else left - right
    right = source.randint(2, 9)
    result = source.randint(2, 999 // right)
    return (result, sign, right, result * right) if sign == "*" else (result * right, sign, right, result)


def _change(source, number):
    """A follow-up that adds to a number or takes from it: two ways to ask, the equation, the result."""
    more = source.randint(2, 99)
    if number + more > LARGEST or (number > more + 2 and source.random() < 0.5):
        result = number - more
        return f"And minus {more}?", f"Now take {more} from the answer.", f"{number} - {more} = {result}", result
    result = number + more
    return f"And plus {more}?", f"Now add {more} to the answer.", f"{number} + {more} = {result}", result


def _sum_talk(source):
    left, sign, right, result = _draw_sum(source)
    asked = source.choice(["What is {}?", "How much is {}?", "Please work out {}."])
    exchanges = [(asked.format(f"{left} {sign} {right}"), f"{left} {sign} {right} = {result}. The answer is {result}.")]
    if source.random() < 0.5:
        question, _, equation, result = _change(source, result)
        exchanges.append((question, f"{equation}. The answer is {result}."))
    return exchanges


def _number_talk(source):
    kind = source.randrange(4)
    if kind == 0:
        low, high = sorted(source.sample(range(2, 1000), 2))
        pair = source.sample([low, high], 2)
        word, chosen = source.choice([("larger", high), ("smaller", low)])
        other = low if chosen == high else high
        return [(f"Which number is {word}, {pair[0]} or {pair[1]}?", f"{chosen} is {word} than {other}.")]
    if kind == 1:
        first = source.randint(1, 90)
        last = first + source.randint(3, 9)
        return [(f"Count from {first} to {last}.", ", ".join(str(n) for n in range(first, last + 1)) + ".")]
    number = source.randint(2, 999)
    if kind == 2:
        parity = "odd" if number % 2 else "even"
        return [(f"Is {number} even or odd?", f"{number} ends in {number % 10}, so it is {parity}.")]
    return [(f"Which number comes after {number}?", f"The number after {number} is {number + 1}.")]


def _word_talk(source):
    kind = source.randrange(5)
    if kind == 0:
        pair = source.choice(OPPOSITES).split()
        word, other = source.sample(pair, 2)
        return [(f"What is the opposite of {word}?", f"The opposite of {word} is {other}.")]
    if kind == 1:
        animal, sound = source.choice(SOUNDS).split("/")
        return [(f"What does a {animal} say?", f"A {animal} says {sound}.")]
    if kind == 2:
        word = source.choice(SPELLING)
        return [(f"How do you spell {word}?", f"You spell {word} like this: " + "-".join(word) + ".")]
    cycle, name = (DAYS, "day") if kind == 3 else (MONTHS, "month")
    index = source.randrange(len(cycle))
    step, word = source.choice([(1, "after"), (-1, "before")])
    other = cycle[(index + step) % len(cycle)]
    return [(f"Which {name} comes {word} {cycle[index]}?", f"The {name} {word} {cycle[index]} is {other}.")]


def _small_talk(source):
    kind = source.randrange(3)
    if kind == 0:
        greeting = source.choice(GREETINGS)
        return [(greeting, f"{greeting.replace(' there', '')} How can I help you today?")]
    if kind == 1:
        name = source.choice(WOMEN + MEN)
        exchanges = [(source.choice(["My name is {}.", "I am {}."]).format(name), f"Nice to meet you, {name}!")]
        if source.random() < 0.5:
            exchanges.append(("What is my name?", f"Your name is {name}."))
        return exchanges
    questions, answer = source.choice(FIXED)
    return [(source.choice(questions), answer)]


def draw_chat(source):
    """One to four short talks in a row, at most five exchanges."""
    exchanges = []
    for _ in range(source.choice([1, 1, 2, 2, 3])):
        talk = source.choices([_land_talk, _sum_talk, _number_talk, _word_talk, _small_talk], [4, 4, 2, 2, 2])[0]
        exchanges += talk(source)
    return exchanges[:5]


def _problem_follow_up(source, problem):
    kind = source.randrange(6)
    if kind == 0:
        return "What is the answer?", f"The answer is {problem.answer}."
    if kind == 1:
        return "What was the first step?", f"This was the first step: {problem.steps[0]}"
    if kind == 2:
        return "How many steps did you take?", f"I took {len(problem.steps)} steps."
    if kind == 3:
        return "Thank you!", FIXED[0][1]
    _, question, equation, result = _change(source, problem.answer)
    return question, f"{equation}\n#### {result}"


def draw_problem_talk(source, follow_up_share=0.35):
    """A word problem of the training side; sometimes a follow-up question, sometimes a second problem."""
    problem = draw_problem(source)
    exchanges = [(problem.question, problem.solution)]
    if source.random() < follow_up_share:
        if source.random() < 0.75:
            exchanges.append(_problem_follow_up(source, problem))
        else:
            other = draw_problem(source)
            exchanges.append((other.question, other.solution))
    return exchanges


def draw_conversation(source, chat_share):
    """Messages of one conversation, with the answers the target should learn."""
    exchanges = draw_chat(source) if source.random() < chat_share else draw_problem_talk(source)
    messages = [{"role": "system", "content": SYSTEM}] if source.random() < 0.05 else []
    for question, answer in exchanges:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return messages
