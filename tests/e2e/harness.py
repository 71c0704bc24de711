# SPDX-License-Identifier: MIT
"""harness.py - real hq processes, each test case in a world of its own.

A case is a function that takes a World: a temporary directory with its own home, server directory and TMPDIR, in which
it runs commands, servers and workers. All processes of a world carry a mark in their environment; when the case is over,
every process with the mark must be gone. Processes are ended by pid only. Waiting is always for a condition, with
a deadline. What went wrong is shown together with the logs.

    from harness import case, main

    @case
    def one_task_runs(w):
        w.server()
        w.worker(cpus=1)
        w.hq("submit", "--wait", "--", "true")
    main()

Usage of a file: NAME_test.py HQ [CASE...]
"""
import fcntl, json, os, pathlib, pty, re, select, shutil, signal, socket, struct, subprocess, sys, tempfile, termios
import time, traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
HQ = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
SLOW = float(os.environ.get("HQ_TEST_SLOW", "1"))  # factor of all deadlines, for valgrind and loaded machines
DEADLINE_S = 20.0
MARK = "HQ_TEST_MARK"
STRIPPED = ("HQ_", "SLURM", "PBS", "SBATCH", "CUDA_", "ROCR_", "OMP_", "GOMP_")  # of the environment of cases
CASES = []


class Skip(Exception):
    """The case cannot run here; the text says why."""


class Result:
    def __init__(self, rc, out, err, seconds):
        self.rc, self.raw, self.out, self.err, self.seconds = rc, out, text(out), text(err), seconds

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return self.out.splitlines()


def text(data):
    return data.decode("utf-8", "replace")


def case(function):
    CASES.append(function)
    return function


def until(condition, what, seconds=DEADLINE_S):
    """What `condition` returns, as soon as it is true."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def eq(got, expected, what=""):
    assert got == expected, f"{what}\n  got:      {got!r}\n  expected: {expected!r}"


def has(haystack, *needles):
    for needle in needles:
        assert needle in haystack, f"{needle!r} is not in:\n{haystack}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stat_of(pid):
    """Fields of /proc/PID/stat from the state on; None when there is no such process, or only its zombie."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields


def is_alive(pid):
    return stat_of(pid) is not None


def status_text(pid, name):
    return re.search(rf"^{name}:\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]


def status_kib(pid, name):
    return int(status_text(pid, name).split()[0])


def count_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Process:
    """A process in the background; both streams go to a file."""

    def __init__(self, world, name, argv, env, cwd):
        self.name, self.path = name, world.logs / f"{len(world.processes)}-{name}.log"
        with open(self.path, "wb") as log:
            self.popen = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, start_new_session=True)
        self.pid = self.popen.pid

    def log(self):
        return text(self.path.read_bytes())

    def send(self, signum):
        self.popen.send_signal(signum)

    def alive(self):
        return self.popen.poll() is None

    def wait(self, seconds=DEADLINE_S):
        """Its exit code; negative: ended by that signal."""
        until(lambda: not self.alive(), f"{self.name} (pid {self.pid}) ends", seconds)
        return self.popen.returncode

    def kill(self):
        self.send(signal.SIGKILL)
        self.popen.wait()

    def await_log(self, pattern, seconds=DEADLINE_S):
        return until(lambda: re.search(pattern, self.log()) or (not self.alive() and self.fail(pattern)),
                     f"{pattern!r} in the log of {self.name}", seconds)

    def fail(self, pattern):
        if not re.search(pattern, self.log()):
            raise AssertionError(f"{self.name} ended with {self.popen.returncode} before its log had {pattern!r}")


class World:
    def __init__(self, name):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix=f"hq-e2e-{name.replace('_', '-')[:24]}-"))
        self.home, self.work, self.tmp, self.logs = (self.base / d for d in ("home", "work", "tmp", "logs"))
        for d in (self.home, self.work, self.tmp, self.logs):
            d.mkdir()
        self.server_dir = self.base / "server"
        self.mark = f"{MARK}={self.base.name}"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(STRIPPED)}
        self.env |= {"HOME": str(self.home), "TMPDIR": str(self.tmp), "HQ_SERVER_DIR": str(self.server_dir),
                     MARK: self.base.name, "PATH": f"{HQ.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        self.processes, self.at_end = [], []

    # ---- processes

    def environ(self, env):
        return {k: v for k, v in {**self.env, **(env or {})}.items() if v is not None}

    def hq(self, *args, rc=0, env=None, cwd=None, data=b"", seconds=DEADLINE_S, hq=None):
        """Runs a command to its end; its exit code must be rc (None: any)."""
        argv = [str(hq or HQ), *map(str, args)]
        start = time.monotonic()
        done = subprocess.run(argv, input=data, env=self.environ(env), cwd=cwd or self.work, timeout=seconds * SLOW,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        result = Result(done.returncode, done.stdout, done.stderr, time.monotonic() - start)
        assert rc is None or result.rc == rc, (
            f"exit code {result.rc} instead of {rc} of: {' '.join(argv[1:])}\n{result.out}\n{result.err}")
        return result

    def json(self, *args, **more):
        return self.hq("--output-mode=json", *args, **more).json()

    def counters(self):
        """The server's own, of what it is busy with."""
        self.hq("server", "debug-dump", self.base / "dump.json")
        return json.loads((self.base / "dump.json").read_text())["tako"]["counters"]

    def on_terminal(self, *args, interrupt_at=None, columns=80, env=None):
        """Exit code and output of a command that has a terminal; it gets a ^C once interrupt_at() is true."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        p = subprocess.Popen([HQ, *map(str, args)], stdin=slave, stdout=slave, stderr=slave, cwd=self.work,
                             env=self.environ({"TERM": "xterm", **(env or {})}), start_new_session=True,
                             preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        out, end = b"", time.monotonic() + 30 * SLOW
        while time.monotonic() < end:
            if interrupt_at and interrupt_at():
                os.write(master, b"\x03")
                interrupt_at = None
            if not select.select([master], [], [], 0.02)[0]:
                if p.poll() is not None:
                    break
                continue
            try:
                data = os.read(master, 65536)
            except OSError:  # nobody has the other end any more
                break
            out += data
        os.close(master)
        return p.wait(5 * SLOW), text(out)

    def start(self, name, *argv, env=None, cwd=None):
        p = Process(self, name, [str(a) for a in argv], self.environ(env), cwd or self.work)
        self.processes.append(p)
        return p

    def server(self, *args, env=None, rc=0):
        p = self.start("server", HQ, "server", "start", *args, env=env)
        p.await_log(r"\| Worker port +\|")
        self.hq("server", "wait", "--timeout=20", env=env)
        return p

    def worker(self, *args, cpus=1, env=None, wait=True):
        """A worker that offers what is named and nothing else; w.id is its id."""
        cpus = [f"--cpus={cpus}", "--detect-resources=none"] if cpus is not None else []
        p = self.start("worker", HQ, "worker", "start", *cpus, *args, env=env)
        if wait:
            p.id = int(p.await_log(r"\| Worker +\| (\d+) +\|")[1])
        return p

    # ---- what the server says

    def submit(self, *args, **more):
        """Submits; the job's id."""
        return int(self.hq("--output-mode=quiet", "submit", *args, **more).out)

    def tasks(self, job):
        return self.json("task", "list", job)[str(job)]

    def task(self, job, task=0):
        return next(t for t in self.tasks(job) if t["id"] == task)

    def states(self, job):
        return [t["state"] for t in self.tasks(job)]

    def stats(self, job):
        return next(j for j in self.json("job", "list", "--all") if j["id"] == job)["task_stats"]

    def await_running(self, job, n=1):
        until(lambda: self.stats(job)["running"] >= n, f"{n} tasks of job {job} run")

    def workers(self):
        """{id: state}, offline ones too."""
        out = self.hq("--output-mode=quiet", "worker", "list", "--all").lines()
        return {int(line.split(" ", 1)[0]): line.split(" ", 1)[1] for line in out}

    def await_worker(self, worker, state, seconds=DEADLINE_S):
        until(lambda: self.workers().get(worker) == state, f"worker {worker} is {state}", seconds)

    def stop(self, server):
        self.hq("server", "stop")
        eq(server.wait(), 0, "exit code of the server")

    # ---- files

    def script(self, name, body):
        path = self.work / name
        path.write_text(body)
        path.chmod(0o755)
        return path

    def read(self, path):
        return (self.work / path).read_text()

    def await_file(self, path, seconds=DEADLINE_S):
        """Contents of a file, once it is there and not empty."""
        return until(lambda: (self.work / path).is_file() and (self.work / path).read_text(), f"{path} is there", seconds)

    def await_pid(self, path):
        """A pid that a task has written, with a newline, to a file."""
        return until(lambda: (self.work / path).is_file() and re.fullmatch(r"\s*(\d+)\n", self.read(path)) and
                     int(self.read(path)), f"{path} holds a pid")

    # ---- the end

    def left(self):
        """Processes with the mark: {pid: command line}."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                marked = self.mark.encode() in (entry / "environ").read_bytes().split(b"\0")
                if marked and is_alive(entry.name):
                    found[int(entry.name)] = text((entry / "cmdline").read_bytes().replace(b"\0", b" ")).strip()
            except OSError:
                pass
        return found

    def end_servers(self):
        """The usual end of a case: one server stop for all that still live, and what follows from it."""
        for p in self.processes:
            if p.alive() and p.name == "server":
                p.send(signal.SIGTERM)
        for p in self.processes:
            if p.name in ("server", "worker"):
                p.wait()

    def check_nothing_left(self, seconds=5):
        try:
            until(lambda: not self.left(), "all processes are gone", seconds)
        except AssertionError:
            raise AssertionError(f"processes left: {self.left()}") from None

    def clean_up(self):
        for undo in reversed(self.at_end):
            undo()
        for p in self.processes:
            if p.alive():
                p.kill()
        for pid in self.left():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def show(self):
        for p in self.processes:
            state = "alive" if p.alive() else f"exit {p.popen.returncode}"
            print(f"---- {p.path.name} (pid {p.pid}, {state})\n{p.log()[-6000:]}")
        print("---- files:", *sorted(str(f.relative_to(self.base)) for f in self.base.rglob("*"))[:60])


def run_case(function):
    """True, False, or None when it was skipped."""
    w, start = World(function.__name__), time.monotonic()
    try:
        function(w)
        w.end_servers()
        w.check_nothing_left()
        result, word = True, "ok"
    except Skip as why:
        result, word = None, f"skipped: {why}"
    except Exception:
        result, word = False, "FAILED"
        print(f"==== {function.__name__}")
        traceback.print_exc(file=sys.stdout)
        w.show()
    finally:
        w.clean_up()
    print(f"{function.__name__:50} {word} {time.monotonic() - start:.1f} s", flush=True)
    shutil.rmtree(w.base, ignore_errors=True)
    return result


def main():
    names = sys.argv[2:]
    chosen = [c for c in CASES if not names or c.__name__ in names]
    results = [run_case(c) for c in chosen]
    if False in results or not chosen:
        sys.exit(1)
    sys.exit(0 if True in results else 77)
