# SPDX-License-Identifier: MIT
"""Whole commands, from outside: start to exit of a fresh process, against the least that a process could do."""
import subprocess

import peers
import process
from bench import Cluster
from figures import Goal, Row, Series, paired

STARTS, SUBMITS, WAITS = 101, 31, 51


def libraries(program):
    """Names of the shared libraries that are mapped at its start."""
    out = process.run(["ldd", program]).output
    return {line.split()[0] for line in out.splitlines()}


class Columns(dict):
    """Series of milliseconds by name, one value each per round."""

    def add(self, name, seconds):
        self.setdefault(name, Series("ms")).add(seconds * 1000)

    def run(self, name, command, *args):
        self.add(name, command(*args).seconds)


def measure_start(bench):
    nothing, columns = bench.programs / "linked_nothing", Columns()
    if libraries(nothing) != libraries(bench.hq):
        raise process.Failed(f"{nothing.name} and hq are not linked with the same: {libraries(nothing) ^ libraries(bench.hq)}")
    for _ in bench.each(bench.size(STARTS, 1), "hq --version"):
        columns.run("true", process.run, ["/bin/true"])
        columns.run("nothing", process.run, [nothing])
        columns.run("version", process.run, [bench.hq, "--version"])
    return [Row("version", "`hq --version`", columns["version"],
                paired("", lambda v, n: v / n, columns["version"], columns["nothing"]),
                judged_as="of a program with the same libraries that does nothing", goal=Goal("at most", 1.5),
                beside=[("that program", columns["nothing"]), ("/bin/true", columns["true"])])]


def measure_arrays(bench):
    """Waiting tasks: submitted and given up where there is no worker."""
    columns = Columns()
    sizes = (("1e7", "10,000,000", "1-10000000"), ("1e9", "1,000,000,000", "0-999999999"))
    with Cluster(bench, worker=False) as c:
        for _ in bench.each(bench.size(SUBMITS, 1), "arrays"):
            columns.run("version", c.hq, "--version")
            for key, _, array in sizes:
                columns.run(f"submit_{key}", c.hq, "submit", "--array", array, "/bin/true")
                columns.run(f"list_{key}", c.hq, "job", "list")
                columns.run(f"cancel_{key}", c.hq, "job", "cancel", "last")
    whats = (("submit", "submit {} tasks"), ("list", "list that job"), ("cancel", "cancel them"))
    for key, n, _ in sizes:
        for verb, what in whats:
            series = columns[f"{verb}_{key}"]
            yield Row(f"{verb}_{key}", what.format(n), series, paired("ms", lambda a, v: a - v, series, columns["version"]),
                      judged_as="over `hq --version`", goal=None if verb == "list" else Goal("at most", 5, "ms"))


def measure_wait(bench):
    columns, quiet = Columns(), ("--stdout=none", "--stderr=none")
    curve = bench.programs / "curve_request"
    with Cluster(bench) as c, process.background([curve, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p, \
            peers.started(bench, "hyperqueue") as others:
        port, key = p.stdout.readline().decode().split()
        for _ in bench.each(bench.size(WAITS, 1), "hq submit --wait"):
            columns.run("spawn", process.run, ["/bin/true"])
            columns.run("spawn again", process.run, ["/bin/true"])
            columns.run("curve", process.run, [curve, "ask", port, key])
            columns.run("wait", c.hq, "submit", "--wait", *quiet, "/bin/true")
            for other in others:
                columns.add(other.name, other.run(1, None)[0])
    floor = paired("ms", lambda *v: sum(v), *(columns[n] for n in ("curve", "spawn", "spawn again")))
    over = paired("ms", lambda a, b: a - b, columns["wait"], floor)
    beside = [("a bare CURVE request", columns["curve"]), ("a bare spawn", columns["spawn"])]
    beside += [(f"{o.name}, by a client that runs already,", columns[o.name]) for o in others]
    what = "`hq submit --wait /bin/true`"
    yield Row("submit_wait", what, columns["wait"], goal=Goal("at most", 10, "ms"), beside=beside)
    yield Row("submit_wait_over_floor", f"{what}, beyond a bare CURVE request and two bare spawns", over,
              goal=Goal("at most", 1, "ms"), beside=[("these", floor)])


def measure(bench):
    return [*measure_start(bench), *measure_wait(bench), *measure_arrays(bench)], []
