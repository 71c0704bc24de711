# SPDX-License-Identifier: MIT
"""What a server keeps and does: memory, threads, wake-ups; and how large the programs are."""
import process
import time
from bench import Cluster
from figures import Goal, Row, Series

ARRAYS, ARRAY_TASKS = 9, 1_000_000_000
IDLE_S, IDLE_TIMES = 8, 5
KIB, MIB = 1024, 1 << 20


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
              beside=[("whole server then", total, True)])


def rates(processes, before, seconds):
    return {name: (process.switches(pid) - before[name]) / seconds for name, pid in processes.items()}


def measure_idle(bench):
    """Voluntary context switches of all threads: one that sleeps and is not woken makes none."""
    seconds = bench.size(IDLE_S, 1)
    with Cluster(bench) as c:
        c.hq("submit", "--wait", "--stdout=none", "--stderr=none", "/bin/true") # all that is made once is there
        processes = {"server": c.server.pid, "worker": c.worker.pid}
        processes |= {f"helper {i + 1}": pid for i, pid in enumerate(c.worker_side()[1:])}
        threads = Series("", [len(process.threads(c.server.pid))])
        series = {name: Series("/s") for name in processes}
        time.sleep(min(2, seconds)) # what follows from the command is over
        for _ in bench.each(bench.size(IDLE_TIMES, 1), "idle"):
            before = {name: process.switches(pid) for name, pid in processes.items()}
            time.sleep(seconds)
            for name, rate in rates(processes, before, seconds).items():
                series[name].add(rate)
    yield Row("idle_switches", f"wake-ups of an idle server with one worker, over {IDLE_S} s", series["server"],
              beside=[(name, s, True) for name, s in series.items() if name != "server"])
    yield Row("threads", "threads of a server", threads, goal=Goal("at most", 4))


def stripped(bench, path):
    with bench.folder("strip") as folder:
        process.run(["strip", "-o", folder / "stripped", path])
        return Series("KiB", [(folder / "stripped").stat().st_size / KIB])


def measure_sizes(bench):
    library = next((bench.build / "lib").glob("libhqcore.so.*.*.*"))
    beside = [(path.name, stripped(bench, path), True) for path in (library, bench.build / "lib/helper/hq-helper")]
    yield Row("size", "stripped `hq`", stripped(bench, bench.hq), beside=beside, goal=Goal("at most", 1024, "KiB"))


def measure(bench):
    return [*measure_waiting(bench), *measure_idle(bench), *measure_sizes(bench)], []
