# SPDX-License-Identifier: MIT
"""What a server keeps and does: memory, threads, wake-ups, many workers at once; and how large the programs are."""
import contextlib
import json
import time

import process
from bench import Cluster
from figures import Goal, Row, Series

ARRAYS, ARRAY_TASKS = 9, 1_000_000_000
IDLE_S, IDLE_TIMES = 8, 5
CROWD, CROWD_PROCESSES, CROWD_TIMES = 1000, 4, 5 # one process of libzmq holds less than 1,000 sockets
KIB = 1024


def submit_waiting(c, tasks):
    c.hq("submit", "--array", f"0-{tasks - 1}", "/bin/true")


def measure_waiting(bench):
    """The first array also pays for what is made once; it is not counted."""
    grown = Series("KiB")
    with Cluster(bench, worker=False) as c:
        submit_waiting(c, ARRAY_TASKS)
        for _ in bench.each(bench.size(ARRAYS, 1), "waiting tasks"):
            before = process.anonymous_bytes(c.server.pid)
            submit_waiting(c, ARRAY_TASKS)
            grown.add((process.anonymous_bytes(c.server.pid) - before) / KIB)
        total = Series("KiB", [process.anonymous_bytes(c.server.pid) / KIB])
    yield Row("memory_waiting", "server memory for 1,000,000,000 waiting tasks of an array", grown, goal=Goal("at most", 1024, "KiB"),
              beside=[("whole server then", total)])


def measure_idle(bench):
    """Voluntary context switches of all threads: one that sleeps and is not woken makes none."""
    seconds = bench.size(IDLE_S, 1)
    with Cluster(bench) as c:
        c.hq("submit", "--wait", "--stdout=none", "--stderr=none", "/bin/true") # all that is made once is there
        watched = {"server": process.threads(c.server.pid), "its main thread": process.threads(c.server.pid)[:1]}
        watched |= {name: process.threads(pid) for name, pid in zip(("worker", "helper 1", "helper 2"), c.worker_side())}
        series = {name: Series("/s") for name in watched}
        time.sleep(min(2, seconds)) # what follows from the command is over
        for _ in bench.each(bench.size(IDLE_TIMES, 1), "idle"):
            before = {name: process.switches(threads) for name, threads in watched.items()}
            time.sleep(seconds)
            for name, threads in watched.items():
                series[name].add((process.switches(threads) - before[name]) / seconds)
    yield Row("idle_switches", f"wake-ups of an idle server with one worker, over {IDLE_S} s", series["server"],
              beside=[(name, s) for name, s in series.items() if name != "server"])
    yield Row("threads", "threads of a server", Series("", [len(watched["server"])]), goal=Goal("at most", 4))


def register(bench, workers):
    """Seconds from the start of the workers until the server has them all."""
    with contextlib.ExitStack() as started, Cluster(bench, worker=False) as c: # in this order: its end is theirs
        argv = [bench.programs / "noop_workers", c.env["HQ_SERVER_DIR"], workers // CROWD_PROCESSES, 1]
        start = time.perf_counter()
        for _ in range(CROWD_PROCESSES):
            started.enter_context(process.background(argv, env=c.env))
        c.hq("worker", "wait", workers)
        seconds = time.perf_counter() - start
        listed = json.loads(c.hq("worker", "list", "--all", "--output-mode=json").output)
        if len(listed) != workers or any(w["ended"] for w in listed):
            raise process.Failed(f"of {workers} workers, {len(listed)} registered, or some were lost")
    return seconds


def measure_crowd(bench):
    workers = bench.size(CROWD, 8)
    times = Series("s", [register(bench, workers) for _ in bench.each(bench.size(CROWD_TIMES, 1), "many workers")])
    yield Row("register", f"{CROWD:,} workers registering at once, none lost", times, goal=Goal("at most", 5, "s"))


def stripped(bench, path):
    with bench.folder("strip") as folder:
        process.run(["strip", "-o", folder / "stripped", path])
        return Series("KiB", [(folder / "stripped").stat().st_size / KIB])


def measure_sizes(bench):
    library = next((bench.build / "lib").glob("libhqcore.so.*.*.*"))
    beside = [(path.name, stripped(bench, path)) for path in (library, bench.build / "lib/helper/hq-helper")]
    yield Row("size", "stripped `hq`", stripped(bench, bench.hq), beside=beside, goal=Goal("at most", 1024, "KiB"))


def measure(bench):
    return [*measure_waiting(bench), *measure_idle(bench), *measure_crowd(bench), *measure_sizes(bench)], []
