#!/usr/bin/env python3
"""Checks that what the documents name exists: `path/file.h:function`, `path`, [links](path) and tests (`file_test.cpp: Suite.Name`).

Usage: check_docs.py [REPOSITORY]. Prints one line per name that does not exist; exit 1 when there is one.
"""
import pathlib
import re
import sys

DOCUMENTS = ["README.md", "docs/tour.md", "docs/data.md", "docs/models.md", "docs/training.md", "docs/attention.md", "docs/math.md", "docs/benchmarks.md", "docs/dependencies.md"]
PATH = re.compile(r"^(?:[\w.-]+/)+[\w.-]+$|^[\w-]+\.(?:md|py|sh)$")


def find(root, path):
    """A path as written, or below src/."""
    for base in (root, root / "src"):
        if (base / path).exists():
            return base / path
    return None


def text_of_unit(file):
    """The text of a header and its neighbours of the same name."""
    return "".join(p.read_text() for p in file.parent.glob(file.stem + ".*") if p.suffix in {".h", ".cpp", ".cu", ".cuh"})


def problem(root, quoted):
    if re.fullmatch(r"[\w/.-]+: ?\w+\.\w+", quoted):  # a test
        path, test = re.split(r": ?", quoted)
        suite, name = test.split(".")
        file = find(root, path)
        if not file:
            return f"no file {path}"
        if not re.search(rf"TEST(_F|_P)?\({suite},\s*{name}\)", file.read_text()):
            return f"{path} has no test {test}"
    elif re.fullmatch(r"[\w/.-]+:[\w:~]+", quoted):  # file:function
        path, function = quoted.split(":", 1)
        file = find(root, path)
        if not file:
            return f"no file {path}"
        if not re.search(rf"\b{function.split('::')[-1]}\b", text_of_unit(file)):
            return f"{path} does not mention {function}"
    elif PATH.fullmatch(quoted) and not quoted.startswith(("build/", "demo/", "http")) and not find(root, quoted):
        return f"no path {quoted}"
    return None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = 0
    for document in DOCUMENTS:
        path = root / document
        if not path.exists():
            continue
        text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
        named = [(quoted, problem(root, quoted)) for quoted in re.findall(r"`([^`\n]+)`", text)]
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            named.append((link, None if (path.parent / link).exists() else f"no file {link}"))
        for _, what in named:
            if what:
                print(f"{document}: {what}")
                found += 1
    print("docs: every name exists" if not found else f"docs: {found} names do not exist")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
