# SPDX-License-Identifier: MIT
"""report.py - the figures as a Markdown table between two marks of a page, and as JSON."""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess

import process
from figures import Series

BEGIN = "<!-- figures: begin (tests/bench/run.sh writes what is between these two lines) -->"
END = "<!-- figures: end -->"
ROOT = pathlib.Path(__file__).resolve().parents[2]
BUSY = 0.25 # load of each cpu by others
COLUMNS = ["what", "measured", "in the same run", "goal", "reached"]


def first_line(*argv, cwd=None):
    if not shutil.which(argv[0]):
        return ""
    done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.split("\n")[0].strip()


def from_file(path, pattern, default):
    found = re.search(pattern, pathlib.Path(path).read_text(encoding="utf-8", errors="replace"), re.M)
    return found[1].strip() if found else default


def machine():
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "distribution": from_file("/etc/os-release", r'^PRETTY_NAME="(.*)"', "unknown"),
        "kernel": platform.release().split("-")[0],
        "memory_gib": round(int(from_file("/proc/meminfo", r"^MemTotal:\s+(\d+)", "0")) / (1 << 20)),
        "model": from_file("/proc/cpuinfo", r"^model name\s*:(.*)", platform.machine()),
    }


def introspect(build, name):
    return json.loads((build / "meson-info" / f"intro-{name}.json").read_text(encoding="utf-8"))


def versions(bench):
    comment = process.run(["readelf", "-p", ".comment", bench.hq]).output # each compiler leaves its name there
    options = {o["name"]: o["value"] for o in introspect(bench.build, "buildoptions")}
    return {
        "buildtype": options["buildtype"],
        "commit": first_line("git", "describe", "--always", "--dirty", cwd=ROOT) or "unknown",
        "compiler": re.search(r"(GCC|clang).*", comment)[0],
        "libhqcore": introspect(bench.build, "projectinfo")["version"],
        "libs": {d["name"]: d["version"] for d in introspect(bench.build, "dependencies") if d["name"] in ("libzmq", "libsodium")},
    }


def markdown(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows])


def page(bench, rows, tables, v):
    m = machine()
    libs = ", ".join(f"{name} {version}" for name, version in sorted(v["libs"].items()))
    out = [f"{m['cpus']} cpus ({m['model']}), {m['memory_gib']} GiB, {m['distribution']}, Linux {m['kernel']}; {v['compiler']}, "
           f"{v['buildtype']} build of {v['commit']}; {libs}.\n"
           f"Medians, with the least and the largest; {bench.rounds} paired rounds of real processes.",
           markdown(COLUMNS, [row.cells() for row in rows])]
    if bench.load > BUSY * bench.cpus:
        out.insert(1, f"**Others used the machine** (load {bench.load:.1f} before the run): times are worth little, ratios and processor "
                      "times a bit more.")
    for table in tables:
        cells = [[name, *(str(s) if isinstance(s, Series) else s for s in row)] for name, row in table.rows]
        out += [f"### {table.title}", markdown(["", *table.columns], cells)]
    if bench.not_measured:
        out.append("\n".join(f"Not measured: {name}: {why}." for name, why in sorted(bench.not_measured.items())))
    return "\n\n".join(out)


def as_json(bench, rows, tables, v):
    out = {"load_before": bench.load, "machine": machine(), "not_measured": bench.not_measured, "rounds": bench.rounds,
           "rows": {row.key: row.as_json() for row in rows}, "tables": {t.key: t.as_json() for t in tables},
           "versions": v}
    return json.dumps(out, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def try_out(folder):
    """A copy of the page there, to write into."""
    shutil.copy(ROOT / "docs/benchmarks.md", folder)
    return folder


def write(docs, text, data):
    """Both files, or neither."""
    target = docs / "benchmarks.md"
    before, rest = target.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    target.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    (docs / "benchmarks.json").write_text(data, encoding="utf-8")
