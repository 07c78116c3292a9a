#!/usr/bin/env python3
"""Holds the rooms of src/ to docs/architecture.md: which may include which, where heavy headers may stand, how long a room may be.

Usage: check_rooms.py [--lines] [REPOSITORY]. Prints one line per forbidden include; with --lines, instead, the product lines of each room
beside its budget. Exit 1 when an include is forbidden, or a room is over its budget.
"""
import pathlib
import re
import sys

# A heavy header has owner files (docs/architecture.md, "Libraries"); seconds of compile time each.
OWNERS = {
    "spdlog/": {"base/log.cpp"},
    "nlohmann/": {"io/json.cpp"},
    "CLI/": {"app/command_line.cpp"},
    "toml++/": {"app/toml_file.cpp"},
    "pcre2.h": {"text/regex.cpp"},
    "utf8proc.h": {"text/unicode.cpp", "text/normal_form.cpp", "text/unicode_test.cpp"},
}


def listed_rooms(root):
    """{room: rooms after its arrow} from the tree in docs/architecture.md."""
    text = (root / "docs/architecture.md").read_text()
    tree = re.search(r"^src/\n(.*?)^bindings/", text, re.M | re.S).group(1)
    rooms = {}
    for line in tree.splitlines():
        match = re.match(r"  (\w+) .*→ *(.*)$", line)
        if match:
            rooms[match[1]] = re.findall(r"\w+", match[2])
    return rooms


def reachable(rooms):
    """{room: every room it may include}; `all` means every room, `std` and `the CUDA toolkit` none."""
    closed = {}

    def close(room):
        if room not in closed:
            after = list(rooms) if "all" in rooms[room] else [r for r in rooms[room] if r in rooms]
            closed[room] = {room}.union(*(close(r) for r in after if r != room))
        return closed[room]

    for room in rooms:
        close(room)
    return closed


def cmake_rooms(root):
    text = (root / "cmake/rooms.cmake").read_text()
    return {m[1]: m[2].split() for m in re.finditer(r"^eyrie_room\((\w+)([^)]*)\)", text, re.M)}


def sources(root):
    """{name below src/: [(line number, header)]}"""
    found = {}
    for path in sorted((root / "src").rglob("*")):
        if path.suffix in {".h", ".cpp", ".cu", ".cuh"}:
            lines = enumerate(path.read_text().splitlines(), 1)
            includes = [(n, re.match(r'\s*#\s*include\s*[<"]([^">]+)[">]', line)) for n, line in lines]
            found[path.relative_to(root / "src").as_posix()] = [(n, m[1]) for n, m in includes if m]
    return found


def test_files(includes):
    """Tests, cases, and the headers that only they include: these may use the room `testing` too."""
    found = {name for name in includes if re.search(r"_(test|cases)\.(cpp|cu|cuh|h)$", name)}
    users = {}
    for name, lines in includes.items():
        for _, header in lines:
            users.setdefault(header, set()).add(name)
    while True:
        more = {n for n in includes if n not in found and n.endswith(".h")
                and users.get(n) and {u for u in users[n] if u != n[:-2] + ".cpp"} <= found}
        more |= {h[:-2] + ".cpp" for h in found | more if h.endswith(".h") and h[:-2] + ".cpp" in includes}
        if more <= found:
            return found
        found |= more


def violations(root):
    allowed = reachable(listed_rooms(root))
    includes = sources(root)
    tests = test_files(includes)
    for room, after in cmake_rooms(root).items():
        for other in after:
            if room not in allowed or other not in allowed[room]:
                yield f"cmake/rooms.cmake: {room} links {other}, which docs/architecture.md does not allow"
    for name, lines in includes.items():
        room = name.split("/")[0]
        if room not in allowed:
            yield f"src/{name}: no room '{room}' in docs/architecture.md"
            continue
        may = allowed[room] | ({"testing"} if name in tests else set())
        for number, header in lines:
            other = header.split("/")[0]
            if other in allowed and other not in may:
                yield f"src/{name}:{number}: {room} may not include {other}"
            for heavy, owners in OWNERS.items():
                if header.startswith(heavy) and name not in owners:
                    yield f"src/{name}:{number}: <{header}> belongs to {', '.join(sorted(owners))}"


def product_lines(root):
    """{room: lines}: what is no test, no case of the harness, no generated table."""
    lines = {}
    for path in (root / "src").rglob("*"):
        if path.suffix in {".h", ".cpp", ".cu", ".cuh"} and not re.search(r"_(test|cases|fixture)\.|^unicode_tables\.", path.name):
            room = path.relative_to(root / "src").parts[0]
            lines[room] = lines.get(room, 0) + len(path.read_text().splitlines())
    return lines


def budgets(root):
    """[(rooms, lines)] of the table under "Budget" in docs/architecture.md; its last row, `all`, is every room."""
    text = (root / "docs/architecture.md").read_text()
    table = re.search(r"^## Budget\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    return [(re.findall(r"\w+", m[1]), int(m[2].replace(",", ""))) for m in re.finditer(r"^\| ([\w, ]+) \| ([\d,]+) \|$", table, re.M)]


def check_lines(root):
    """Prints the table; whether a room is over its budget, or has none."""
    lines, rows = product_lines(root), budgets(root)
    over = False
    for rooms, most in rows:
        found = sum(lines.get(room, 0) for room in (lines if rooms == ["all"] else rooms))
        over |= found > most
        print(f"{', '.join(rooms):<36} {found:>7,} of {most:>7,}{f'   {found - most:,} over' if found > most else ''}")
    homeless = sorted(set(lines) - {room for rooms, _ in rows for room in rooms})
    print("".join(f"{room}: no budget in docs/architecture.md\n" for room in homeless), end="")
    return over or bool(homeless)


def main():
    arguments = sys.argv[1:]
    counting = arguments[:1] == ["--lines"]
    root = pathlib.Path((arguments[counting:] or [pathlib.Path(__file__).parent.parent])[0])
    if counting:
        return 1 if check_lines(root) else 0
    found = list(violations(root))
    print("\n".join(found) or "rooms: every include is allowed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
