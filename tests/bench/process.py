# SPDX-License-Identifier: MIT
"""process.py - runs commands with little cost of its own, and reads what processes have used.

Commands are started with posix_spawn and waited for through a pidfd, so that what is measured is the command and not
Python; each has a time limit and a process group of its own, so that none can hang the whole run."""
import contextlib
import os
import pathlib
import select
import signal
import subprocess
import time

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
LIMIT_S = 120


class Failed(Exception):
    """A command that did not do what the measurement needs; the text says which and how."""


class Done:
    def __init__(self, seconds, usage, output):
        self.seconds, self.output = seconds, output
        self.cpu = usage.ru_utime + usage.ru_stime # of the command and of the children that it waited for


def output_of(fd):
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "rb") as f:
        return f.read().decode("utf-8", "replace")


def run(argv, env=None, stdin="/dev/null", limit=LIMIT_S, cwd=None):
    """Runs argv to its end; Failed unless it exits 0 within `limit` seconds."""
    argv = [str(a) for a in argv]
    out = os.memfd_create("output", os.MFD_CLOEXEC)
    actions = [(os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, out, 1),
               (os.POSIX_SPAWN_DUP2, out, 2)]
    home = os.getcwd()
    os.chdir(cwd or home) # posix_spawn has nothing for it
    try:
        start = time.perf_counter()
        pid = os.posix_spawnp(argv[0], argv, env or os.environ, file_actions=actions, setpgroup=0)
    finally:
        os.chdir(home)
    ended, status, usage = wait(pid, limit)
    seconds = time.perf_counter() - start
    output = output_of(out)
    if not ended or status != 0:
        how = f"status {os.waitstatus_to_exitcode(status)}" if ended else f"no end in {limit} s"
        raise Failed(f"{' '.join(argv)[:200]}: {how}: {output[-500:].strip()}")
    return Done(seconds, usage, output)


def wait(pid, limit):
    fd = os.pidfd_open(pid)
    try:
        ended = bool(select.select([fd], [], [], limit)[0])
    finally: # an interrupted run leaves nothing behind
        if not select.select([fd], [], [], 0)[0]:
            os.killpg(pid, signal.SIGKILL)
        os.close(fd)
        _, status, usage = os.wait4(pid, 0)
    return ended, status, usage


@contextlib.contextmanager
def background(argv, limit=20, **options):
    """A process beside the block; behind it, it has `limit` seconds to end by itself."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    p = subprocess.Popen([str(a) for a in argv], start_new_session=True, **options)
    try:
        yield p
    finally:
        if p.stdin:
            p.stdin.close()
        try:
            p.wait(limit)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


# ---- what processes have used

def stat(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def cpu_seconds(pid):
    """User and system time of all threads of the process, and of the children that it has waited for."""
    return sum(map(int, stat(pid)[11:15])) * TICK_S


def status_number(path, name):
    for line in path.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise Failed(f"{path} has no {name}")


def anonymous_bytes(pid):
    """Memory that the process has to itself and that is in use: no pages of files."""
    return status_number(pathlib.Path(f"/proc/{pid}/status"), "RssAnon") * 1024


def threads(pid):
    """Their folders; the main thread's is the first."""
    return sorted(pathlib.Path(f"/proc/{pid}/task").iterdir(), key=lambda path: int(path.name))


def switches(of):
    """How often these threads went to sleep by themselves, which they can only do after they woke up."""
    return sum(status_number(t / "status", "voluntary_ctxt_switches") for t in of)


def helpers_of(worker):
    """They are no children of the worker, but their command line names it."""
    mark, found = b"\0--worker\0%d\0" % worker, []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return sorted(found)
