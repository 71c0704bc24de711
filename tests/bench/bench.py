# SPDX-License-Identifier: MIT
"""bench.py - one run of the figures: its build, its sizes, its folder, what it has to say while it works; and clusters
of one server and one worker to measure."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import process

STOP_S = 20
SETTINGS = ("HQ_", "SLURM", "PBS") # of the environment: none may steer what is measured


class Bench:
    def __init__(self, build, rounds, smoke):
        self.build, self.rounds, self.smoke = pathlib.Path(build).resolve(), rounds, smoke
        self.cpus = len(os.sched_getaffinity(0))
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="hq-bench-"))
        self.hq, self.programs = self.build / "cli/hq", self.build / "tests/bench"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
        self.not_measured = {} # name: why
        self.load = os.getloadavg()[0] # of others

    def close(self):
        shutil.rmtree(self.work, ignore_errors=True)

    def size(self, full, small):
        """How much of something to do: little when only the programs are tried."""
        return small if self.smoke else full

    def each(self, n, what):
        """0 .. n - 1, told as it goes on a terminal, and at the end anyway."""
        start, at_terminal = time.monotonic(), sys.stderr.isatty()
        for i in range(n):
            if at_terminal:
                print(f"\r\033[K{what}: {i + 1} of {n}", end="", file=sys.stderr, flush=True)
            yield i
        clear = "\r\033[K" if at_terminal else ""
        print(f"{clear}{what}: {n} in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def folder(self, name):
        """A fresh folder, gone afterwards."""
        path = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.work))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def missing(self, name, why):
        self.not_measured[name] = why
        print(f"not measured: {name}: {why}", file=sys.stderr)


class Cluster:
    """A server, and a worker if wanted, until the block ends."""

    def __init__(self, bench, worker=True, journal=False):
        self.bench, self.with_worker = bench, worker
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cluster-", dir=bench.work))
        self.env = dict(bench.env, HQ_SERVER_DIR=str(self.dir / "server"))
        self.journal = [f"--journal={self.dir}/journal"] if journal else []
        self.server = self.worker = None

    def hq(self, *args, cwd=None, limit=process.LIMIT_S):
        return process.run([self.bench.hq, *args], env=self.env, cwd=cwd or self.dir, limit=limit)

    def start(self, *args):
        with open(self.dir / f"{args[0]}.log", "wb") as log:
            return subprocess.Popen([self.bench.hq, *args], env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=subprocess.STDOUT, start_new_session=True)

    def __enter__(self):
        try:
            self.server = self.start("server", "start", *self.journal)
            self.hq("server", "wait", "--timeout=20", limit=30)
            if self.with_worker:
                self.worker = self.start("worker", "start", f"--cpus={self.bench.cpus}")
                self.hq("worker", "wait", "1", limit=30)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        with contextlib.suppress(process.Failed):
            self.hq("server", "stop", limit=STOP_S)
        end = time.monotonic() + STOP_S
        for p in filter(None, (self.worker, self.server)):
            try:
                p.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill() # its helpers end with it
                p.wait()

    def worker_side(self):
        return [self.worker.pid, *process.helpers_of(self.worker.pid)]
