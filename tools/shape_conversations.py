"""Conversations that vectors_shapes.py renders with every template that takes their kind."""


def user(content):
    return {"role": "user", "content": content}


def system(content):
    return {"role": "system", "content": content}


def assistant(content, **fields):
    return {"role": "assistant", "content": content, **fields}


def call(name, arguments, identity="call00001"):
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(content, identity="call00001", name="weather"):
    return {"role": "tool", "name": name, "tool_call_id": identity, "content": content}


def function(name, description, properties, required):
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = [
    function(
        "weather",
        "Tells the weather of a city: °C, <wind> & 'rain'.",
        {
            "city": {"type": "string", "description": "Name of the city"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
            "days": {"type": "array", "items": {"type": "integer"}},
        },
        ["city"],
    ),
    function("now", "The time.", {}, []),
]
BRIEF = system("You answer briefly.")
OSLO = call("weather", {"city": "Oslo", "unit": "celsius"})
LIMA = call("weather", {"city": "Lima, Perú", "days": [1, 2], "wind": None, "exact": True, "least": -0.5}, "call00002")
THOUGHT = "Seven sixes:\n6 * 7 is 42."

# Only roles and contents.
PLAIN = [
    [user("How many apples are 12 + 30?"), assistant("There are 42 apples.")],
    [BRIEF, user("First question"), assistant("First answer."), user("Second question"), assistant("Second answer.")],
    [system("  padded \n"), user("  spaces  "), assistant("  an answer \n"), user("\tmore\n"), assistant("\n\nlast\t")],
    [user("Say nothing."), assistant(""), user("And now?"), assistant("Something.")],
    [user("今天有几只白鹭？"), assistant("有三只。🎉 \u00a0naïve\u2028“ok”"), user("Größer?")],
    [user('{"a": [1, "<b> & \'c\'"]}\r\n\ttab'), assistant("{{ braces }} {% if %} {# no #} \\n ```x```")],
]
# Role orders that some templates refuse.
ORDERS = [
    [assistant("I begin."), user("Fine."), assistant("Good.")],
    [user("a"), user("b"), assistant("c")],
    [user("a"), assistant("b"), system("Late."), user("c"), assistant("d")],
]
# Contents in parts.
PARTS = [
    [
        {"role": "system", "content": [{"type": "text", "text": "Look closely."}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What is this? "}]},
        assistant("A heron."),
    ]
]
# Thoughts: as a field, inside the content, in some turns only, empty.
THINKING = [
    [
        user("What is 6 * 7?"),
        assistant("42", reasoning_content=THOUGHT),
        user("And 6 * 8?"),
        assistant("48", reasoning_content="42 + 6."),
    ],
    [
        BRIEF,
        user("What is 6 * 7?"),
        assistant(f"<think>\n{THOUGHT}\n</think>\n\n42"),
        user("Again."),
        assistant("<think>no line</think>42"),
    ],
    [
        user("Hello"),
        assistant("Hello!"),
        user("What is 6 * 7?"),
        assistant("\n\n42\n", reasoning_content=f"\n\n{THOUGHT}\n "),
    ],
    [user("Hello"), assistant("Hello!", reasoning_content=""), user("Bye"), assistant("a </think> b </think> c")],
]
# Tools: a call and its result, text with two calls and two results, thoughts between them.
CALLING = [
    [
        user("Weather in Oslo?"),
        assistant("", tool_calls=[OSLO]),
        result("4 °C"),
        assistant("It is 4 °C."),
        user("Thanks."),
        assistant("Bye."),
    ],
    [BRIEF, user("Oslo?"), assistant("I look.", tool_calls=[OSLO]), result('{"celsius": 4}'), assistant("4.")],
]
PARALLEL = [
    [
        user("Oslo and Lima?"),
        assistant("Both.", tool_calls=[OSLO, LIMA]),
        result("4 °C"),
        result("19 °C", "call00002"),
        assistant("4 and 19."),
    ]
]
CALLING_WITH_THOUGHTS = [
    [
        user("Oslo?"),
        assistant("", reasoning_content="I ask.", tool_calls=[OSLO]),
        result("4 °C"),
        assistant("4 °C.", reasoning_content="It says 4."),
    ]
]
BOTH = [[user("Oslo?"), assistant("I look.", reasoning_content="I ask.", tool_calls=[OSLO])]]
DEVELOPER = [[{"role": "developer", "content": "Be brief."}, user("Hello"), assistant("Hi.")]]

DOCUMENTS = [
    {"title": "the grey heron", "text": "  It fishes\nin the river. "},
    {"title": "empty", "text": ""},
    {"text": "Untitled\ntext"},
    {"title": "left out", "text": "Behind the break."},
]
WITH_DOCUMENTS = [[user("Who fishes?"), assistant("The heron.")]]
