#!/usr/bin/env python3
"""Registers, shared memory and spills of every CUDA kernel, from what ptxas said when it was compiled.

Usage: kernel_resources.py compile COMMAND...    runs the compiler and keeps ptxas's report beside the object (.ptxas)
       kernel_resources.py check BUILD           prints a table; exit 1 when a kernel spills that may not
"""
import pathlib
import re
import subprocess
import sys

# GPUs that the kernels are written for and were run as; on the others ptxas may spill a few bytes, which the table shows.
NO_SPILLS = {"sm_80", "sm_90"}
# Head dimensions whose accumulators may not fit: a kernel with one of these template arguments may spill.
MAY_SPILL = {"32", "80", "96", "192", "256"}

REPORT = re.compile(r"^ptxas info +:|bytes stack frame")


def compile_and_keep(command):
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    report = [line for line in done.stderr.splitlines() if REPORT.search(line)]
    sys.stderr.writelines(line + "\n" for line in done.stderr.splitlines() if not REPORT.search(line))
    if done.returncode == 0 and "-o" in command and "-c" in command:
        pathlib.Path(command[command.index("-o") + 1] + ".ptxas").write_text("\n".join(report))
    return done.returncode


def kernels(report):
    """(mangled name, architecture, registers, stack bytes, spilled bytes) of each kernel in a report."""
    name = arch = None
    stack = spilled = 0
    for line in report.splitlines():
        if match := re.search(r"Compiling entry function '(\S+)' for '(\S+)'", line):
            name, arch = match.groups()
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            stack, spilled = int(match[1]), int(match[2]) + int(match[3])
        elif (match := re.search(r"Used (\d+) registers", line)) and name:
            yield name, arch, int(match[1]), stack, spilled
            name, stack, spilled = None, 0, 0


def demangled(names):
    done = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    short = (re.sub(r"\((?:[^()]|\([^()]*\))*\)$|eyrie::|\(anonymous namespace\)::|^void ", "", n)
             for n in done.stdout.splitlines())
    return dict(zip(names, short))


def check(build):
    found = sorted({k for path in pathlib.Path(build).rglob("*.ptxas") for k in kernels(path.read_text())})
    names = demangled([k[0] for k in found])
    failed = 0
    print(f"{'registers':>9} {'stack':>6} {'spills':>6}  {'GPU':<8} kernel")
    for name, arch, registers, stack, spilled in found:
        allowed = MAY_SPILL & set(re.findall(r"\d+", " ".join(re.findall(r"<.*>", names[name]))))
        wrong = spilled > 0 and not allowed and arch in NO_SPILLS
        failed += wrong
        print(f"{registers:>9} {stack:>6} {spilled:>6}  {arch:<8} {names[name]}{'   SPILLS' if wrong else ''}")
    print(f"kernels: {len(found)}, of them {failed} spill that may not")
    return 1 if failed or not found else 0


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "compile":
        return compile_and_keep(sys.argv[2:])
    if len(sys.argv) == 3 and sys.argv[1] == "check":
        return check(sys.argv[2])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
