#!/usr/bin/env python3
"""Checks that docs/tour.md goes where the code goes.

The tour is nested lists. An item that opens with `path:function` names a definition in that file; under another such item it is a call:
the upper function's body must name it, and behind the items before it, since a body is read from top to bottom.

Usage: check_tour.py [REPOSITORY]. Prints one line per call that is not made, or not in that order; exit 1 when there is one.
"""
import pathlib
import re
import sys

import check_docs

ITEM = re.compile(r"^( *)- `([\w/.-]+):([\w~]+)`")


# What may stand between a definition's name (and arguments) and its brace: qualifiers, an array, a base class, initialisers.
OPENING = re.compile(r"(?: (?:const|override|noexcept|final))*(?:\[\] =)?(?:\s*:[^;{}]*(?:\{[^{};]*\}[^;{}]*)*?)?\s*(?=\{)")


def functions(text):
    """{(line number, path, function): [those called by it]} of the list's items, in the tour's order."""
    above, found = [], {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := ITEM.match(line):
            one = (number, match[2], match[3])
            above = [upper for upper in above if upper[0] < len(match[1])] + [(len(match[1]), one)]
            found[one] = []
            if len(above) > 1:
                found[above[-2][1]].append(one)
    return found


def plain(code):
    """Code without comments and the insides of strings, lines kept."""
    return re.sub(r'//[^\n]*|"(?:\\.|[^"\\\n])*"', lambda m: '""' if m[0][0] == '"' else "", code)


def closing(code, start):
    """The place behind the bracket that closes the one at `start`."""
    depth, pairs = 0, {"(": 1, "{": 1, ")": -1, "}": -1}
    for at in range(start, len(code)):
        depth += pairs.get(code[at], 0)
        if depth == 0:
            return at + 1
    return len(code)


def bodies(code, name):
    """Everything in braces that belongs to a definition of `name`: a function, a constructor, a class, a table."""
    for match in re.finditer(rf"\b{name}\b", code):
        at = match.end()
        if code[at : at + 1] == "(":
            at = closing(code, at)
        opens = OPENING.match(code, at)
        if opens and code[opens.end()] == "{":
            yield code[at : closing(code, opens.end())]


def first_wrong(body, lower):
    """The first of the functions that the body does not name behind those before it, and why; or nothing."""
    at = 0
    for number, path, function in lower:
        name = re.compile(rf"\b{function}\b")
        found = name.search(body, at)
        if not found:
            return number, f"calls {path}:{function} {'not behind what it calls before' if name.search(body) else 'nowhere'}"
        at = found.end()
    return None


def problem(root, path, function, lower):
    """(line number or None, what is wrong) of one item and those set below it; or nothing."""
    file = check_docs.find(root, path)
    found = list(bodies(plain(check_docs.text_of_unit(file)), function)) if file else []
    if not found:
        return None, "is not defined there"
    wrong = [first_wrong(body, lower) for body in found]  # of overloads one has to do it
    return None if None in wrong else max(wrong)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = 0
    for (number, path, function), lower in functions((root / "docs/tour.md").read_text()).items():
        if wrong := problem(root, path, function, lower):
            print(f"docs/tour.md:{wrong[0] or number}: {path}:{function} {wrong[1]}")
            found += 1
    print("tour: every call is made" if not found else f"tour: {found} items are not as the code is")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
