#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""load.py BUILD_DIR [--workers N] [--cpus N] [--tasks N] [--more N] [--repeat N] [--journal FILE] - what a server can do,
without processes.

The server is `hq server start` in a process of its own, encrypted, on real sockets; the workers are noop_workers.c, whose
tasks have ended as soon as they are launched. Array jobs of TASKS tasks run one after the other (REPEAT of them), then, for
the slope of memory, one of MORE tasks. With a journal the jobs are not forgotten at the end: a later server restores them.
Prints one JSON object:

    tasks_per_s             of each repetition: from before `hq submit` until `hq job wait` has returned
    server_cpu_us_per_task  of each: user and system time of all threads of the server
    server_main_us_per_task, server_io_us_per_task   the same by thread: the main one, and libzmq's with the journal's
    workers_cpu_us_per_task what the workers themselves needed
    tasks_per_frame         as the workers sent them
    rss_kb                  of the server: idle, after the repetitions, after MORE, after `hq job forget` (without a journal)
    bytes_per_finished_task slope between the repetitions and MORE; null without MORE
    journal_bytes_per_task  what the jobs added to the file; null without a journal
"""
import argparse, json, os, pathlib, subprocess, sys, tempfile, time

DEADLINE_S = 600  # for anything
COLUMN_BYTES = 16  # what a finished task keeps
NOTICEABLE_KB = 8192  # of columns: what else comes and goes is less


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--workers", type=int, default=1)
    p.add_argument("--cpus", type=int, default=128, help="of each worker")
    p.add_argument("--tasks", type=int, default=1_000_000)
    p.add_argument("--more", type=int, default=0)
    p.add_argument("--repeat", type=int, default=1)
    p.add_argument("--journal", type=pathlib.Path)
    return p.parse_args()


class Cluster:
    """One server and its workers, in a directory of their own."""

    def __init__(self, o):
        self.build = o.build.resolve()
        self.work = tempfile.TemporaryDirectory(prefix="hq-load-")
        self.env = dict(os.environ, HQ_SERVER_DIR=self.work.name + "/server")
        self.journal = o.journal and o.journal.resolve()
        options = [f"--journal={self.journal}"] if self.journal else []
        self.server = self.start(self.build / "cli/hq", "server", "start", *options, out=subprocess.DEVNULL)
        self.hq("server", "wait")
        self.workers = self.start(self.build / "tests/bench/noop_workers", self.env["HQ_SERVER_DIR"], str(o.workers),
                                  str(o.cpus), out=subprocess.PIPE)
        self.hq("worker", "wait", str(o.workers))

    def start(self, *args, out):
        return subprocess.Popen(args, env=self.env, cwd=self.work.name, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.DEVNULL if out == subprocess.DEVNULL else None, text=True)

    def hq(self, *args):
        out = subprocess.run([self.build / "cli/hq", *args], env=self.env, cwd=self.work.name, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)
        if out.returncode:
            sys.exit(f"hq {' '.join(args)}: {out.stderr}")
        return out.stdout

    def run_job(self, tasks):
        """Seconds, and microseconds of processor time by thread of the server."""
        before, start = self.server_cpu(), time.perf_counter()
        job = self.hq("submit", "--output-mode=quiet", "--array", f"1-{tasks}", "/bin/true").strip()
        self.hq("job", "wait", job)
        took = time.perf_counter() - start
        return took, [a - b for a, b in zip(self.server_cpu(), before)]

    def server_cpu(self):
        """Of the main thread, and of the others together (libzmq's, the journal's)."""
        pid, main, others = self.server.pid, 0, 0
        for tid in os.listdir(f"/proc/{pid}/task"):
            ns = int(open(f"/proc/{pid}/task/{tid}/schedstat").read().split()[0])
            if int(tid) == pid:
                main = ns
            else:
                others += ns
        return [main / 1000, others / 1000]

    def server_rss_kb(self):
        for line in open(f"/proc/{self.server.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1])

    def journal_bytes(self):
        return self.journal.stat().st_size if self.journal else 0

    def stop(self):
        self.hq("server", "stop")
        told = json.loads(self.workers.communicate(timeout=DEADLINE_S)[0])
        if self.server.wait(DEADLINE_S) or self.workers.returncode:
            sys.exit("the server or its workers failed")
        self.work.cleanup()
        return told


def forget(c, tasks):
    """What the server needs afterwards: it must have returned the columns."""
    before, columns_kb = c.server_rss_kb(), tasks * COLUMN_BYTES // 1024
    c.hq("job", "forget", "all")
    after = c.server_rss_kb()
    if columns_kb > NOTICEABLE_KB and before - after < columns_kb / 2:
        sys.exit(f"the server kept {after} kB of {before} kB when the jobs were forgotten")
    return after


def main():
    o = arguments()
    expected = o.tasks * o.repeat + o.more
    c = Cluster(o)
    rss, journal = [c.server_rss_kb()], c.journal_bytes()
    runs = [c.run_job(o.tasks) for _ in range(o.repeat)]
    rss.append(c.server_rss_kb())
    if o.more:
        c.run_job(o.more)
        rss.append(c.server_rss_kb())
    journal = c.journal_bytes() - journal
    if not o.journal:
        rss.append(forget(c, expected))
    told = c.stop()
    if told["tasks"] != expected:
        sys.exit(f"{told['tasks']} tasks ran instead of {expected}")
    print(json.dumps({
        "workers": o.workers, "cpus": o.cpus, "tasks": o.tasks,
        "tasks_per_s": [round(o.tasks / s) for s, _ in runs],
        "server_cpu_us_per_task": [round(sum(cpu) / o.tasks, 3) for _, cpu in runs],
        "server_main_us_per_task": [round(cpu[0] / o.tasks, 3) for _, cpu in runs],
        "server_io_us_per_task": [round(cpu[1] / o.tasks, 3) for _, cpu in runs],
        "workers_cpu_us_per_task": told["cpu_us_per_task"],
        "tasks_per_frame": round(told["tasks"] / told["frames"], 1),
        "rss_kb": rss,
        "bytes_per_finished_task": round((rss[2] - rss[1]) * 1024 / o.more, 2) if o.more else None,
        "journal_bytes_per_task": round(journal / expected, 2) if o.journal else None,
    }))


main()
