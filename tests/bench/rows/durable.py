# SPDX-License-Identifier: MIT
"""Servers with a journal beside servers without, in turns: what it costs while tasks run, per command, and at the start."""
import json
import os
import subprocess
import time

import process
from bench import Cluster
from figures import Goal, Row, Series, paired
from rows.command import Columns
from rows.load import FEW, load

LOADS, SUBMITS, RESTORES = 7, 51, 15
RECORD = bytes(256) # about what a submit writes


class Loads:
    """Tasks without processes, one worker; the last journal remains, to be restored."""

    def __init__(self, bench, journal):
        self.rate, self.cpu = ({where: Series(unit) for where in ("off", "on")} for unit in ("tasks/s", "us"))
        self.size = Series("bytes")
        for _ in bench.each(bench.size(LOADS, 1), "tasks without processes, with and without a journal"):
            journal.unlink(missing_ok=True)
            self.take("off", load(bench, 1))
            self.size.add(self.take("on", load(bench, 1, f"--journal={journal}"))["journal_bytes_per_task"])

    def take(self, where, told):
        self.rate[where].add(told["tasks_per_s"][0])
        self.cpu[where].add(told["server_cpu_us_per_task"][0])
        return told


def measure_load(bench, journal):
    loads = Loads(bench, journal)
    what = "with a journal, one worker, no processes"
    yield Row("journal_rate", f"tasks/s {what}", loads.rate["on"],
              paired("", lambda off, on: off / on, loads.rate["off"], loads.rate["on"]),
              judged_as="times as long as without", goal=Goal("at most", 1.1), beside=[("without", loads.rate["off"])])
    yield Row("journal_server_cpu", f"server's processor time per task {what}, the journal's thread included", loads.cpu["on"],
              paired("", lambda on, off: on / off, loads.cpu["on"], loads.cpu["off"]), judged_as="of that without",
              beside=[("without", loads.cpu["off"])])
    yield Row("journal_bytes", f"what a finished task adds to the file {what}", loads.size, goal=Goal("at most", 8, "bytes"))


def write_and_sync(fd):
    """Seconds."""
    start = time.perf_counter()
    os.write(fd, RECORD)
    os.fdatasync(fd)
    return time.perf_counter() - start


def measure_submit(bench):
    columns, submit = Columns(), ("submit", "/bin/true")
    with Cluster(bench, worker=False) as off, Cluster(bench, worker=False, journal=True) as on, \
            open(on.dir / "synced", "wb") as synced:
        for _ in bench.each(bench.size(SUBMITS, 1), "hq submit, with and without a journal"):
            columns.run("off", off.hq, *submit)
            columns.run("on", on.hq, *submit)
            columns.add("sync", write_and_sync(synced.fileno()))
    floor = paired("ms", lambda a, b: a + b, columns["off"], columns["sync"])
    yield Row("submit_journal", "`hq submit` with a journal", columns["on"],
              paired("ms", lambda a, b: a - b, columns["on"], floor),
              judged_as="beyond one without and a bare write with fdatasync", goal=Goal("at most", 1, "ms"),
              beside=[("without", columns["off"]), ("bare write with fdatasync", columns["sync"])])


def start_and_ask(bench, journal):
    """Seconds from the start of a server until `hq job list` has returned, and how many tasks it says have finished."""
    env = dict(bench.env, HQ_SERVER_DIR=f"{journal}.server")
    start = time.perf_counter()
    with process.background([bench.hq, "server", "start", f"--journal={journal}"], env=env, stdout=subprocess.PIPE) as server:
        server.stdout.readline() # it listens
        told = process.run([bench.hq, "job", "list", "--all", "--output-mode=json"], env=env).output
        seconds = time.perf_counter() - start
        process.run([bench.hq, "server", "stop"], env=env)
    return seconds, sum(job["task_stats"]["finished"] for job in json.loads(told))


def measure_restore(bench, journal):
    columns, empty = Columns(), journal.with_name("empty")
    expected = bench.size(FEW, 20_000)
    start_and_ask(bench, empty) # makes it
    for _ in bench.each(bench.size(RESTORES, 1), "restoring"):
        for name, path, tasks in (("empty", empty, 0), ("full", journal, expected)):
            seconds, finished = start_and_ask(bench, path)
            if finished != tasks:
                raise process.Failed(f"{finished} finished tasks were restored instead of {tasks}")
            columns.add(name, seconds)
    yield Row("restore", f"from the start of a server that restores {FEW:,} finished tasks until `hq job list` has answered",
              columns["full"], goal=Goal("at most", 100, "ms"), beside=[("with an empty journal", columns["empty"])])


def measure(bench):
    with bench.folder("durable") as folder:
        journal = folder / "journal"
        return [*measure_load(bench, journal), *measure_submit(bench), *measure_restore(bench, journal)], []
