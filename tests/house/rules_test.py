# SPDX-License-Identifier: MIT
"""rules_test.py SOURCE BUILD - what the library must never do to its host, read from its objects; and the
rules of the source tree: sizes, names, suites, and pages that speak of files that are there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import floors
from forbidden import WHY, plain

MAX_LINES = 900
CODE = {".c", ".h", ".proto", ".py", ".sh"}
BAD_NAMES = {"util", "utils", "common", "misc", "helpers"}

ALLOWED = {
    ("serverdir", "getenv"): "HQ_SERVER_DIR and HOME",
    ("worker", "getenv"): "the creation of a worker",
    ("worker", "environ"): "the creation of a worker copies it",
    ("tasks", "_exit"): "the helper's child, when it cannot exec",
}
# Sections that may hold data: constant, or constant once the loader has relocated it.
CONSTANT = re.compile(r"\.(rodata|data\.rel\.ro|text|eh_frame|note|debug|comment|group)")
MUTABLE = re.compile(r"\.(data|bss|tdata|tbss)|\*COM\*")
STARTUP = re.compile(r"\s\.(init_array|fini_array|ctors|dtors|preinit_array)")


def check_calls(directory, table):
    return [f"lib/{directory}: {s.member}: {plain(s.name)} {WHY[plain(s.name)]}" for s in table
            if s.is_undefined and plain(s.name) in WHY and (directory, plain(s.name)) not in ALLOWED]


def check_data(directory, table, path):
    errors = [f"lib/{directory}: {s.member}: {s.name} is mutable data ({s.section})" for s in table
              if not s.is_undefined and MUTABLE.match(s.section) and not CONSTANT.match(s.section)]
    headers = subprocess.run(["objdump", "-h", str(path)], check=True, capture_output=True, text=True).stdout
    if STARTUP.search(headers):
        errors.append(f"lib/{directory}: has a constructor or destructor")
    return errors


def is_ours(root, path):
    """Neither hidden, nor made by a build, nor somebody else's."""
    foreign = path.parent == root and path.is_dir() and path.name.startswith(("build", "subprojects"))
    hidden = path.name.startswith(".") and path.name != ".ci"
    return not foreign and not hidden and path.name != "__pycache__"


def tree(root, folder):
    for path in sorted(folder.iterdir()):
        if is_ours(root, path):
            yield path
            if path.is_dir():
                yield from tree(root, path)


def check_tree(root):
    errors = []
    for path in tree(root, root):
        name = path.relative_to(root)
        if path.stem in BAD_NAMES:
            errors.append(f"{name}: name the noun")
        if path.is_file() and path.suffix in CODE:
            lines = path.read_text(encoding="utf-8").count("\n")
            if lines > MAX_LINES:
                errors.append(f"{name}: {lines} lines, at most {MAX_LINES}")
    return errors


def check_suites(root, build):
    """Every test bears the suite of its directory below tests/, by which runs are chosen."""
    errors = []
    tests = json.loads((Path(build) / "meson-info" / "intro-tests.json").read_text(encoding="utf-8"))
    for test in tests:
        places = re.findall(r"(?:^|/)tests/(\w+)/", " ".join(test["cmd"]))
        suites = {s.split(":")[-1] for s in test["suite"]}
        if places and places[-1] not in suites:
            errors.append(f"tests/{places[-1]}: test {test['name']} lacks suite: '{places[-1]}'")
    return errors


def check_pages(root):
    """Files and folders that README.md and docs/ name in full."""
    errors = []
    for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        named = re.findall(r"`((?:lib|cli|include|bindings|tests|examples|docs)/[\w./-]+)`", page.read_text(encoding="utf-8"))
        errors += [f"{page.relative_to(root)}: there is no {name}" for name in named if not (root / name).exists()]
    return errors


def main(source, build):
    root, errors = Path(source), []
    for directory in floors.LEVELS:
        path = floors.archive(build, directory)
        if path:
            table = floors.symbols(path)
            errors += check_calls(directory, table) + check_data(directory, table, path)
    errors += check_tree(root) + check_suites(root, build) + check_pages(root)
    floors.finish(errors)


main(*sys.argv[1:])
