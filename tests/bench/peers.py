# SPDX-License-Identifier: MIT
"""peers.py - other programs that run many small tasks, for comparison in the same run.

Each peer has a name with its version, and run(tasks, folder) -> (seconds, processor seconds): it runs /bin/true `tasks`
times, as many at a time as there are cpus, with two output files each in `folder` (None: none). Peers are extras: one that is not
here is named as not measured."""
import contextlib
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys

import process

TRUE = "/bin/true"
ANSWER_S = 120


class Peer:
    def close(self):
        pass


class BareLoop(Peer):
    """posix_spawn, wait, again: what the launch of tasks costs at least."""
    name, tasks = "bare posix_spawn loop", 2000 # tasks: per cpu, of one measurement

    def __init__(self, bench):
        self.argv = [bench.programs / "spawn_loop"]
        self.cpus = bench.cpus

    def run(self, tasks, folder):
        files = ["--files", folder] if folder else []
        done = process.run([*self.argv, tasks, self.cpus, *files, TRUE])
        if not done.output.rstrip().endswith(" 0 failed"):
            raise process.Failed(f"spawn_loop: {done.output}")
        return done.seconds, done.cpu


class Lines(Peer):
    """A program that takes the numbers of the tasks as lines of its standard input."""

    def __init__(self, bench, program):
        if not shutil.which(program):
            raise process.Failed(f"there is no program {program}")
        self.cpus, self.input = bench.cpus, bench.work / f"{program}.input"
        self.version = re.search(r"\d[\d.]*", process.run([program, "--version"]).output)[0]

    def run(self, tasks, folder):
        self.input.write_text("".join(f"{i}\n" for i in range(tasks)))
        done = process.run(self.argv(folder), stdin=self.input)
        return done.seconds, done.cpu


class Xargs(Lines):
    tasks = 1000

    def __init__(self, bench):
        super().__init__(bench, "xargs")
        self.name = f"xargs -P{self.cpus} {self.version}"

    def argv(self, folder):
        command = ["-n1", TRUE]
        if folder: # only a shell can give each its own
            command = ["-I{}", "sh", "-c", f"exec {TRUE} >{folder}/{{}}.stdout 2>{folder}/{{}}.stderr"]
        return ["xargs", f"-P{self.cpus}", *command]


class Parallel(Lines):
    tasks = 200

    def __init__(self, bench):
        super().__init__(bench, "parallel")
        self.name = f"GNU parallel {self.version}"

    def argv(self, folder):
        command = f"{TRUE} >{folder}/{{}}.stdout 2>{folder}/{{}}.stderr" if folder else TRUE
        return ["parallel", "--will-cite", "--ungroup", f"-j{self.cpus}", command]


class Hyperqueue(Peer):
    """The published reference: its Python package, in a process of its own that stays until close()."""
    tasks = 500

    def __init__(self, bench):
        packages = bench.build / "peers"
        if not (packages / "hyperqueue").is_dir():
            raise process.Failed(f"the PyPI package hyperqueue is not in {packages.name}/ of the build folder")
        script = pathlib.Path(__file__).with_name("hyperqueue_peer.py")
        env = dict(bench.env, PYTHONPATH=str(packages), HOME=str(bench.work))
        with open(bench.work / "hyperqueue.log", "wb") as log:
            self.process = subprocess.Popen([sys.executable, "-B", script, str(bench.cpus)], env=env, cwd=bench.work, stderr=log,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.name = f"hyperqueue {self.answer().lstrip('v')}"

    def answer(self):
        if not select.select([self.process.stdout], [], [], ANSWER_S)[0]:
            self.close()
            raise process.Failed(f"hyperqueue: no answer in {ANSWER_S} s")
        line = self.process.stdout.readline().decode().strip()
        if not line:
            raise process.Failed("hyperqueue ended early")
        return line

    def run(self, tasks, folder):
        self.process.stdin.write(f"{tasks} {folder or '-'}\n".encode())
        self.process.stdin.flush()
        seconds, cpu = self.answer().split()
        return float(seconds), float(cpu)

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(ANSWER_S)
        except (OSError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, 9)
            self.process.wait()


ALL = {"xargs": Xargs, "GNU parallel": Parallel, "hyperqueue": Hyperqueue}


@contextlib.contextmanager
def started(bench, *names):
    """A list of those that are here, until the block ends; the others are noted as not measured."""
    found = []
    try:
        for name in names:
            try:
                found.append(ALL[name](bench))
            except process.Failed as why:
                bench.missing(name, str(why))
        yield found
    finally:
        for peer in found:
            peer.close()
