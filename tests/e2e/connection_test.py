#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Connections that are cut, stuck, or full of somebody else's bytes: sessions go on where they can, and nothing runs twice."""
import json, os, random, select, socket, threading, time

from harness import HQ, case, eq, has, is_alive, main, until


class Proxy(threading.Thread):
    """Forwards connections to a port of the server, until it is told to cut, hold or spoil them."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.target, self.pairs, self.lock = port, {}, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open, self.held, self.spoil, self.total = True, False, False, 0
        self.start()

    def run(self):
        while self.open:
            with self.lock:
                watched = [self.listener] + ([] if self.held else list(self.pairs))
            try:
                ready = select.select(watched, [], [], 0.02)[0]
            except (OSError, ValueError):
                continue  # cut in the meantime
            for s in ready:
                self.accept() if s is self.listener else self.forward(s)

    def accept(self):
        a = self.listener.accept()[0]
        try:
            b = socket.create_connection(("127.0.0.1", self.target), 5)
        except OSError:
            a.close()
            return
        with self.lock:
            self.total += 1
            self.pairs[a], self.pairs[b] = b, a

    def forward(self, s):
        with self.lock:
            other = self.pairs.get(s)
        try:
            data = s.recv(65536) if other else b""
            if data and self.spoil:
                data = data[:-1] + bytes([data[-1] ^ 0x55])  # in what is encrypted
                self.spoil = False
            if data:
                other.sendall(data)
                return
        except OSError:
            pass
        self.drop(s)

    def drop(self, s):
        with self.lock:
            other = self.pairs.pop(s, None)
            self.pairs.pop(other, None)
        for x in (s, other):
            if x:
                x.close()

    def cut(self):
        with self.lock:
            every = list(self.pairs)
            self.pairs.clear()
        for s in every:
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, as of a broken network
                s.close()
            except OSError:
                pass  # the forwarding thread was quicker

    def end(self):
        self.open = False
        self.join()
        self.cut()
        self.listener.close()


def through_proxy(w, plane):
    """A server, and a directory whose access file leads to it through a proxy."""
    if not w.processes:
        w.server()
    access = json.loads((w.server_dir / "hq-current/access.json").read_text())
    proxy = Proxy(access[plane]["port"])
    w.at_end.append(proxy.end)
    access[plane].update(host="127.0.0.1", port=proxy.port)
    d = w.base / f"through-{plane}-{proxy.port}"
    d.mkdir()
    (d / "access.json").write_text(json.dumps(access))
    return proxy, d


COUNTED = ["--stdout=none", "--stderr=none", "--", "bash", "-c", "sleep 0.005; echo $HQ_TASK_ID.$HQ_INSTANCE_ID >> done"]


def check_each_once(w, job, n):
    eq(w.stats(job)["finished"], n)
    eq(sorted(w.read("done").split()), sorted(f"{i}.0" for i in range(1, n + 1)), "each task has run once")


@case
def a_cut_worker_goes_on(w):
    proxy, d = through_proxy(w, "worker")
    w.worker("--server-dir", d, cpus=2)
    job = w.submit("--array=1-300", *COUNTED)
    for k in range(1, 5):
        until(lambda: w.stats(job)["finished"] >= 40 * k, "some more have finished")
        proxy.cut()
    w.hq("job", "wait", job, seconds=40)
    check_each_once(w, job, 300)
    eq(w.workers(), {1: "RUNNING"})
    assert proxy.total >= 4, proxy.total


@case
def cuts_at_random_moments(w):
    proxy, d = through_proxy(w, "worker")
    for i in range(2):
        w.worker("--server-dir", d, f"--hostname=w{i}", cpus=2)
    rng = random.Random(1)
    job = w.submit("--array=1-300", *COUNTED)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.01, 0.4))  # the moments are the test
        proxy.cut()
    w.hq("job", "wait", job, seconds=40)
    check_each_once(w, job, 300)
    eq(w.workers(), {1: "RUNNING", 2: "RUNNING"})


@case
def spoiled_bytes_are_noticed(w):
    proxy, d = through_proxy(w, "worker")
    w.worker("--server-dir", d, cpus=2)
    job = w.submit("--array=1-200", *COUNTED)
    for k in range(1, 4):
        until(lambda: w.stats(job)["finished"] >= 40 * k, "some more have finished")
        proxy.spoil = True
    w.hq("job", "wait", job, seconds=40)
    check_each_once(w, job, 200)
    eq(w.workers(), {1: "RUNNING"})


@case
def a_cable_that_is_pulled(w):
    """Nothing is forwarded any more, and no side is told: both give the other up."""
    proxy, d = through_proxy(w, "worker")
    worker = w.worker("--server-dir", d, "--heartbeat=400ms")
    w.submit("--", "bash", "-c", "echo $$ > pid.$HQ_INSTANCE_ID; sleep 600")
    pid = w.await_pid("pid.0")
    proxy.held = True
    w.await_worker(1, "HEARTBEAT LOST")
    eq(worker.wait(15), 1)
    until(lambda: not is_alive(pid), "the task is gone", 3)
    w.worker()
    w.await_pid("pid.1")
    w.hq("job", "cancel", "all")


@case
def a_short_interruption_is_forgiven(w):
    proxy, d = through_proxy(w, "worker")
    w.worker("--server-dir", d, "--heartbeat=2s", cpus=2)
    job = w.submit("--array=1-200", *COUNTED)
    until(lambda: w.stats(job)["finished"] >= 20, "some have finished")
    proxy.held = True
    time.sleep(0.7)  # shorter than the heartbeat
    proxy.held = False
    w.hq("job", "wait", job, seconds=40)
    check_each_once(w, job, 200)
    eq(w.workers(), {1: "RUNNING"})


@case
def a_cut_client_goes_on_waiting(w):
    proxy, d = through_proxy(w, "client")
    w.worker()
    job = w.submit("--", "bash", "-c", "until [ -e go ]; do sleep 0.02; done")
    waits = [w.start("wait", HQ, "--server-dir", d, "job", "wait", job) for _ in range(3)]
    waits.append(w.start("submit", HQ, "--server-dir", d, "submit", "--wait", "--", "true"))
    until(lambda: len(proxy.pairs) == 8, "all are connected")
    proxy.cut()
    until(lambda: len(proxy.pairs) == 8, "all have come back")
    (w.work / "go").touch()
    for p in waits:
        eq(p.wait(), 0, p.log())
    eq(len(w.json("job", "list", "--all")), 2, "nothing was submitted twice")


@case
def submits_through_a_line_that_breaks(w):
    """However often the connection is cut: each submit that is told as done is there, once."""
    proxy, d = through_proxy(w, "client")
    rng = random.Random(2)
    (w.work / "entries").write_text("x" * 999 + "\n" + "y" * 99 + "\n" * 3000)
    done = 0
    for _ in range(15):
        p = w.start("submit", HQ, "--server-dir", d, "--output-mode=quiet", "submit", "--each-line=entries", "--", "true")
        while p.alive():
            time.sleep(rng.uniform(0.001, 0.03))  # the moments are the test
            if rng.random() < 0.5:
                proxy.cut()
        done += p.popen.returncode == 0
        w.processes.remove(p)
    jobs = w.json("job", "list")
    eq([j["task_count"] for j in jobs], [3001] * len(jobs))
    assert done <= len(jobs) <= 15, (done, len(jobs))


@case
def waits_end_with_the_server(w):
    server = w.server()
    w.submit("--", "true")
    waits = [w.start("wait", HQ, "job", "wait", "all") for _ in range(3)]
    until(lambda: w.counters()["waiting_commands"] == 3, "all of them wait")
    w.hq("server", "stop")
    eq([p.wait(8) for p in waits], [0, 0, 0])
    eq(server.wait(), 0)


@case
def waits_end_with_a_killed_server(w):
    server = w.server()
    w.submit("--", "true")
    p = w.start("wait", HQ, "job", "wait", "all")
    q = w.start("workers", HQ, "worker", "wait", "1")
    until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) > 12, "they are connected")
    server.kill()
    assert p.wait(10) in (0, 1) and q.wait(10) == 1, (p.log(), q.log())


@case
def many_workers_and_clients(w):
    server = w.server()
    workers = [w.worker(f"--hostname=w{i}", wait=False) for i in range(20)]
    w.hq("worker", "wait", "20", seconds=60)
    job = w.submit("--array=1-400", *COUNTED)
    clients = [w.start("list", HQ, "job", "list") for _ in range(30)]
    eq([p.wait(60) for p in clients], [0] * 30)
    w.hq("job", "wait", job, seconds=60)
    check_each_once(w, job, 400)
    w.hq("server", "stop")
    eq(server.wait(8), 0)
    eq([p.wait() for p in workers], [0] * 20)


main()
