# SPDX-License-Identifier: MIT
"""abi_test.py symbols|types|update LIBRARY INCLUDE - the ABI of hqcore.h, against what is kept in abi/: the exported symbols and
their versions (`symbols`), the types behind them (`types`, with libabigail, where it is installed).

Additions are meant, and recorded with `update`; whatever else differs breaks programs that were built before."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

KEPT = Path(__file__).resolve().parent / "abi"
FROZEN = "HQCORE_0"
SKIPPED = 77


def run(*argv):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True).stdout


def symbols(library):
    """Lines "name version" of what programs may rely on."""
    found = re.findall(r" [A-TV-Z] (hq_\w+)@@?(\w+)$", run("nm", "-D", "--defined-only", "--with-symbol-versions", library), re.M)
    return sorted(f"{name} {version}" for name, version in found if version == FROZEN)


def check_symbols(library):
    kept = (KEPT / "symbols").read_text(encoding="utf-8").splitlines()
    now = symbols(library)
    for line in sorted(set(kept) - set(now)):
        print(f"{line}: is gone: programs that call it do not start any more")
    for line in sorted(set(now) - set(kept)):
        print(f"{line}: is new: record it with `python3 tests/embed/abi_test.py update LIBRARY include`")
    return 0 if kept == now else 1


def describe(library, include, out):
    run("abidw", "--exported-interfaces-only", "--headers-dir", include, "--drop-private-types", "--drop-undefined-syms",
        "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-elf-needed", "--type-id-style", "hash",
        "--out-file", out, library)
    tree = ElementTree.parse(out)
    for parent in list(tree.getroot().iter()):
        for child in [c for c in parent if c.get("name", "").startswith("hq_tools_")]:
            parent.remove(child)  # hqcore/tools.h promises no ABI
    tree.write(out)


def is_here():
    missing = [tool for tool in ("abidw", "abidiff") if not shutil.which(tool)]
    if missing:
        print(f"skipped: {' and '.join(missing)} not found; install abigail-tools")
    return not missing


def check_types(library, include):
    if not is_here():
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        now = Path(folder) / "now.abi"
        describe(library, include, now)
        diff = subprocess.run(["abidiff", "--no-added-syms", str(KEPT / "hqcore.abi"), str(now)], capture_output=True, text=True)
    bad = diff.returncode != 0 or diff.stderr != ""
    if bad:
        print(diff.stdout, diff.stderr, "changed types break programs that were built before", sep="\n")
    return 1 if bad else 0


def update(library, include):
    (KEPT / "symbols").write_text("\n".join(symbols(library)) + "\n", encoding="utf-8")
    if is_here():
        describe(library, include, KEPT / "hqcore.abi")
    return 0


def main(what, library, include):
    return {"symbols": lambda: check_symbols(library), "types": lambda: check_types(library, include),
            "update": lambda: update(library, include)}[what]()


sys.exit(main(*sys.argv[1:]))
