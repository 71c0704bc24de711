# SPDX-License-Identifier: MIT
"""library_test.py LIBRARY HOUSE CC... - what the shared library carries into a host: no data that changes, nothing that runs
when it is loaded or unloaded, no forbidden import, no library beside the few that it needs, no name of others' own.

The same scan of a library that breaks every rule must find every breach: else it would prove nothing."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[2])
from forbidden import WHY, plain  # noqa: E402

ALLOWED = {
    "getenv": "the default server directory, and the creation of a worker",
    "environ": "the creation of a worker copies it",
    "__environ": "the same, where a default of the linker names both",
}
# libc of old systems is in several pieces.
NEEDED = re.compile(r"lib(zmq|sodium|protobuf-c|jansson|xxhash|c|m|pthread|dl|rt)\.so\.\d+|ld-linux.*")
# What the compiler's own start files put into any shared library.
TOOLCHAIN = {"__dso_handle", "completed.0", "__TMC_END__", "_edata", "__bss_start", "_end"}
POINTER = 8

OFFENDER = r"""
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
int global = 7;
static int hidden;
static _Thread_local int per_thread;
__attribute__((constructor)) static void begin(void) { hidden++; }
__attribute__((destructor)) static void end(void) { per_thread++; }
void offend(void *host, int n)
{
    signal(SIGINT, SIG_IGN);
    setlocale(LC_ALL, "C");
    printf("%p %d %d %d %f", host, n, hidden, per_thread, sin(global));
    if (n > 3)
        system("true");
    abort();
}
"""


def run(*argv):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True).stdout


def check_data(library):
    """Names of data that may change; sizes of sections that run code at loading and unloading, or are per thread."""
    errors = []
    for line in run("nm", "-f", "sysv", library).splitlines():
        fields = [f.strip() for f in line.split("|")]
        if len(fields) == 7 and fields[6] in (".data", ".bss", ".tdata", ".tbss", "*COM*") and fields[0] not in TOOLCHAIN:
            errors.append(f"data: {fields[0]} in {fields[6]} can change")
    sections = run("readelf", "-SW", library)
    for name, size in re.findall(r"\]\s+(\.\S+)\s+\S+\s+[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)", sections):
        if name in (".tdata", ".tbss"):
            errors.append(f"threads: {name} of {int(size, 16)} bytes")
        if name in (".init_array", ".fini_array", ".ctors", ".dtors") and int(size, 16) > POINTER:
            errors.append(f"startup: {name} holds more than the compiler's own entry")
    return errors


def check_imports(library):
    names = re.findall(r"\b[Uwv] (\S+)", run("nm", "-D", "--undefined-only", library))
    return [f"import: {plain(n)} {WHY[plain(n)]}" for n in names if plain(n) in WHY and plain(n) not in ALLOWED]


def check_needed(library):
    needed = re.findall(r"\(NEEDED\).*\[(\S+)\]", run("readelf", "-d", library))
    return [f"needed: {n}" for n in needed if not NEEDED.fullmatch(n)]


def check_exports(library):
    names = re.findall(r" [A-TV-Z] (\S+)$", run("nm", "-D", "--defined-only", library), re.M)
    return [f"export: {n}" for n in names if not re.match(r"hq_|HQCORE_", n)]


def check(library):
    return check_data(library) + check_imports(library) + check_needed(library) + check_exports(library)


def check_the_check(cc):
    """What the scan misses of a library that breaks every rule."""
    expected = ["data: global", "data: hidden", "threads: .tbss", "startup: .init_array", "startup: .fini_array",
                "import: signal", "import: setlocale", "import: printf", "import: system", "import: abort",
                "needed: libutil", "export: global", "export: offend"]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "o.c").write_text(OFFENDER, encoding="utf-8")
        (folder / "u.c").write_text("void util(void) {}\n", encoding="utf-8")
        run(*cc, "-shared", "-fPIC", "-Wl,-soname,libutil.so.1", folder / "u.c", "-o", folder / "libutil.so")
        run(*cc, "-shared", "-fPIC", "-O0", folder / "o.c", "-o", folder / "o.so", "-lm", "-Wl,--no-as-needed",
            folder / "libutil.so")
        found = check(folder / "o.so")
    return [f"not noticed: {e}" for e in expected if not any(f.startswith(e) for f in found)]


def main(library, _, *cc):
    errors = check_the_check(cc) + check(library)
    for error in errors:
        print(error)
    raise SystemExit(1 if errors else 0)


main(*sys.argv[1:])
