# SPDX-License-Identifier: MIT
"""Tasks that are no processes: what the server itself needs per task and keeps of it (load.py, noop_workers.c)."""
import json
import pathlib
import sys

import process
from figures import Goal, Row, Series, paired

WORKERS, CPUS, TIMES = (1, 8, 128), 128, 5
FEW, MANY = 1_000_000, 10_000_000
LOAD = pathlib.Path(__file__).parents[1] / "load.py"
LIMIT_S = 300


def load(bench, workers, *options):
    few = bench.size(FEW, 20_000)
    argv = [sys.executable, "-B", LOAD, bench.build, f"--workers={workers}", f"--cpus={CPUS}", f"--tasks={few}", *options]
    done = process.run(argv, env=bench.env, limit=LIMIT_S)
    return json.loads(done.output.splitlines()[-1])


class Loads:
    """By number of workers, the rounds' figures; by one worker, memory too."""

    def __init__(self, bench):
        self.rate = {w: Series("tasks/s") for w in WORKERS}
        self.cpu = {w: Series("us") for w in WORKERS}
        self.finished, self.returned = Series("bytes"), Series("")
        more = bench.size(MANY - FEW, 100_000)
        for _ in bench.each(bench.size(TIMES, 1), "tasks without processes"):
            for workers in WORKERS:
                self.take(workers, load(bench, workers, *([f"--more={more}"] if workers == 1 else [])))

    def take(self, workers, told):
        self.rate[workers].add(told["tasks_per_s"][0])
        self.cpu[workers].add(told["server_cpu_us_per_task"][0])
        if told["bytes_per_finished_task"] is not None:
            self.finished.add(told["bytes_per_finished_task"])
            idle, _, most, forgotten = told["rss_kb"]
            self.returned.add((most - forgotten) / (most - idle))


def rows_of(loads):
    one = loads.rate[1]
    yield Row("no_process_1", f"tasks/s without processes, one worker of {CPUS} cpus", one)
    for workers in WORKERS[1:]:
        yield Row(f"no_process_{workers}", f"the same, {workers} workers", loads.rate[workers],
                  paired("", lambda x, y: x / y, loads.rate[workers], one), judged_as="of one worker", goal=Goal("at least", 1))
    for workers in WORKERS:
        per_second = Series("tasks", [1e6 / us for us in loads.cpu[workers].values])
        what = "server's processor time per task, libzmq's thread included, no processes"
        yield Row(f"server_cpu_{workers}", f"{what}, workers: {workers}", loads.cpu[workers], goal=Goal("at most", 0.5, "us"),
                  beside=[("in a second of it", per_second)])
    yield Row("memory_finished", "server memory of a finished task, slope between 10^6 and 10^7", loads.finished,
              goal=Goal("at most", 17, "bytes"))
    yield Row("memory_returned", "share of its memory that a server returns after 10^7 tasks and `hq job forget`", loads.returned,
              goal=Goal("at least", 0.95))


def measure(bench):
    return [*rows_of(Loads(bench))], []
