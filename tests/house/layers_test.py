# SPDX-License-Identifier: MIT
"""layers_test.py SOURCE BUILD CC... - the floors hold: in the includes, in the symbols, and at the linker."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import floors

PUBLIC_ANYWHERE = {"hqcore/error.h", "hqcore/types.h"}
PUBLIC_FROM_LEVEL = 4
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def includes(path):
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


def sources(directory):
    return sorted(p for p in directory.rglob("*") if p.suffix in (".c", ".h", ".cc", ".cpp", ".hpp"))


def include_error(directory, target):
    """Why a file of lib/<directory> may not include `target`; None when it may."""
    if target in PUBLIC_ANYWHERE:
        return None
    if target == "hqcore.h" or target.startswith("hqcore/"):
        level = floors.LEVELS.get(directory, -1)
        return None if level >= PUBLIC_FROM_LEVEL else "public headers are for levels 4 and 5"
    if target.endswith(".pb-c.h"):
        return None if directory == "wire" else "only wire/ sees protobuf-c"
    room = target.split("/")[0] if "/" in target else None
    if room is None or (room not in floors.LEVELS and room != floors.HELPER):
        return 'includes are written "directory/file.h", from lib/'
    return None if room in floors.may_see(directory) else f"{directory}/ may not see {room}/"


def check_includes(root):
    """Errors, and the graph {directory: directories it includes}."""
    errors, graph = [], {}
    for directory in floors.directories(root):
        if directory not in floors.LEVELS and directory != floors.HELPER:
            errors.append(f"lib/{directory}: has no level in tests/house/floors.py")
            continue
        for path in sources(root / "lib" / directory):
            for target in includes(path):
                why = include_error(directory, target)
                if why:
                    errors.append(f'{path.relative_to(root)}: "{target}": {why}')
                graph.setdefault(directory, set()).add(target.split("/")[0])
    return errors, graph


def check_acyclic(graph):
    """Takes leaves away until none is left; what remains is in, or above, a cycle."""
    left = {d: {t for t in targets if t in graph and t != d} for d, targets in graph.items()}
    while leaves := [d for d, targets in left.items() if not targets & left.keys()]:
        for leaf in leaves:
            del left[leaf]
    return [f"include cycle among {', '.join(sorted(left))}"] if left else []


def check_header_cycles(root):
    lib = root / "lib"
    graph = {str(p.relative_to(lib)): set(includes(p)) for p in sources(lib) if p.suffix == ".h"}
    return check_acyclic(graph)


def check_outside(root):
    """The command sees the public headers and itself, nothing of lib/."""
    errors = []
    for path in sources(root / "cli"):
        for target in includes(path):
            own = (path.parent / target).exists() or (root / "cli" / target).exists()
            if not own and not (root / "include" / target).exists():
                errors.append(f'{path.relative_to(root)}: "{target}" is neither public nor of cli/')
    for path in sources(root / "include"):
        for target in includes(path):
            if not (root / "include" / target).exists():
                errors.append(f'{path.relative_to(root)}: "{target}" is not public')
    return errors


def check_test_links(root):
    """A unit test names no library above its own directory, else an upward call would link."""
    errors = []
    for directory in floors.LEVELS:
        path = root / "tests" / "unit" / directory / "meson.build"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for library in set(re.findall(r"\b([a-z]+)_lib\b", text)):
            if library in floors.LEVELS and library not in floors.may_see(directory):
                errors.append(f"{path.relative_to(root)}: links {library}_lib")
    return errors


def check_symbols(tables):
    """What a directory calls is defined in itself or below; what it defines bears its name."""
    errors, home = [], {}
    for directory, table in tables.items():
        for s in table:
            if not s.is_undefined and s.kind.isupper():
                home[s.name] = directory
    for directory, table in tables.items():
        for s in table:
            ours = s.name.startswith(("hqi_", "hq_"))
            if s.is_undefined and ours and home.get(s.name) not in floors.may_see(directory):
                errors.append(f"lib/{directory}: {s.member}: calls {s.name} of {home.get(s.name, 'nowhere')}")
            if s.is_undefined or not s.kind.isupper() or ".pb-c." in s.member:
                continue
            if not s.name.startswith((f"hqi_{directory}_", "hq_")):
                errors.append(f"lib/{directory}: {s.member}: {s.name} does not start with hqi_{directory}_")
    return errors


def link(cc, folder, calls, archives):
    """Links a program that calls each of `calls`; returns the linker's complaints, None when it succeeds."""
    source = folder / "upward.c"
    lines = [f"void {name}(void);" for name in calls]
    lines += ["int main(void) {"] + [f"{name}();" for name in calls] + ["return 0; }"]
    source.write_text("\n".join(lines), encoding="utf-8")
    command = [*cc, "-w", str(source), "-o", str(folder / "upward")]
    group = ["-Wl,--start-group", *map(str, archives), "-Wl,--end-group"]
    run = subprocess.run(command + group, capture_output=True, text=True)
    return None if run.returncode == 0 else run.stderr


def a_function(table):
    """A function that others may call; not one whose address alone is public."""
    return next((s.name for s in table if s.kind == "T" and s.name.startswith(("hqi_", "hq_"))), None)


def check_link(cc, build, tables):
    """A call from a directory to any that it may not see must fail to link, by name."""
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        own = a_function(tables["base"])
        complaint = link(cc, folder, [own], [floors.archive(build, "base")])
        if complaint is not None:  # else every failure below would prove nothing
            return [f"a call to {own} does not link: {complaint}"]
        for directory in tables:
            below = [floors.archive(build, d) for d in tables if d in floors.may_see(directory)]
            calls = [a_function(t) for d, t in tables.items() if d not in floors.may_see(directory)]
            calls = [name for name in calls if name]
            if not calls:
                continue
            complaint = link(cc, folder, calls, below) or ""
            errors += [f"{name} links with lib/{directory} and what is below it"
                       for name in calls if f"`{name}'" not in complaint]
    return errors


def main(source, build, *cc):
    root = Path(source)
    errors, graph = check_includes(root)
    errors += check_acyclic(graph) + check_header_cycles(root) + check_outside(root) + check_test_links(root)
    archives = {d: floors.archive(build, d) for d in floors.LEVELS}
    tables = {d: floors.symbols(path) for d, path in archives.items() if path}
    if not tables.get("base"):
        errors.append(f"{build}: lib/base/libhqi_base.a has no symbols: build first")
    else:
        errors += check_symbols(tables) + check_link(cc, build, tables)
    floors.finish(errors)


main(*sys.argv[1:])
