# SPDX-License-Identifier: MIT
"""The floors of lib/: which directory may know which. Shared by the tests of the house."""

import subprocess
from pathlib import Path

LEVELS = {
    "base": 0,
    "model": 1,
    "wire": 2, "text": 2, "state": 2, "loop": 2,
    "sched": 3, "journal": 3, "net": 3, "stream": 3, "jobfile": 3, "serverdir": 3,
    "core": 4, "tasks": 4, "autoalloc": 4, "host": 4,
    "server": 5, "worker": 5, "client": 5,
}
HELPER = "helper"  # a program of its own: nothing in the library sees it
HELPER_SEES = {"base", "model", "wire", "text", "loop", "stream", HELPER}


def may_see(directory):
    """The directories of lib/ that `directory` may include and call, itself among them."""
    if directory == HELPER:
        return HELPER_SEES
    return {d for d in LEVELS if LEVELS[d] < LEVELS[directory]} | {directory}


def directories(root):
    return sorted(p.name for p in (Path(root) / "lib").iterdir() if p.is_dir())


def archive(build, directory):
    """The static library of a directory, or None while it has no sources."""
    path = Path(build) / "lib" / directory / f"libhqi_{directory}.a"
    return path if path.exists() else None


class Symbol:
    def __init__(self, member, fields):
        self.member = member  # the object file
        self.name, _, self.kind, self.type, _, _, self.section = (f.strip() for f in fields)

    @property
    def is_undefined(self):
        return self.kind in "Uwv"


def symbols(path):
    """All symbols of an archive, thin or not."""
    out = subprocess.run(["nm", "-f", "sysv", str(path)], check=True, capture_output=True, text=True).stdout
    found, member = [], ""
    for line in out.splitlines():
        fields = line.split("|")
        if line.startswith(("Symbols from", "Undefined symbols from")):
            member = line.partition("[")[2].partition("]")[0].rpartition("/")[2]
        elif len(fields) == 7 and fields[0].strip() != "Name":
            found.append(Symbol(member, fields))
    return found


def finish(errors):
    """Ends a test: prints what is wrong, one line each."""
    for error in errors:
        print(error)
    raise SystemExit(1 if errors else 0)
