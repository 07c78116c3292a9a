#!/usr/bin/env python3
"""Checks that what the documents name exists: `path/file.h:function`, `path`, [links](path) and tests (`file_test.cpp: Suite.Name`);
and that every section that the project cites (§3) stands in docs/spec.md.

Usage: check_docs.py [REPOSITORY]. Prints one line per name that does not exist; exit 1 when there is one.
"""
import pathlib
import re
import sys

CITING = ["src", "docs", "tests", "tools", "cmake", "README.md", "CMakeLists.txt"]  # where a § is a section of docs/spec.md
CITING_SUFFIXES = {".h", ".cpp", ".cu", ".cuh", ".md", ".py", ".txt", ".cmake"}
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
    if "NAME" in quoted:  # a file to be
        return None
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


def names(root, document):
    """What one document names and does not exist."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    for quoted in re.findall(r"`([^`\n]+)`", text):
        if what := problem(root, quoted):
            yield what
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        if not (document.parent / link).exists():
            yield f"no file {link}"


def citations(root):
    """(place, section) of every § in the project that is no section of docs/spec.md."""
    sections = set(re.findall(r"^## (\d+a?)\. ", (root / "docs/spec.md").read_text(), flags=re.M))
    for start in CITING:
        path = root / start
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix not in CITING_SUFFIXES:
                continue
            for number, line in enumerate(file.read_text().splitlines(), 1):
                for section in re.findall(r"§(\d+[a-z]?)", line):
                    if section not in sections:
                        yield f"{file.relative_to(root)}:{number}", section


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = 0
    for document in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        for what in names(root, document):
            print(f"{document.relative_to(root)}: {what}")
            found += 1
    for place, section in citations(root):
        print(f"{place}: docs/spec.md has no §{section}")
        found += 1
    print("docs: every name exists" if not found else f"docs: {found} names do not exist")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
