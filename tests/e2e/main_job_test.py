#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The main job, as in a batch script; and how servers start, are found, and end."""
import json, os, pathlib, re, shutil, signal, stat

from harness import HQ, ROOT, case, count_fds, eq, free_port, has, main, status_kib, until

BATCH = """
hq server start &
hq server wait
hq worker start --cpus=4 --resource 'gpus/nvidia=[0,1]' --detect-resources=none &
worker=$!
hq submit --resource "cpus=1" --array 1-300 ./task.sh;
hq submit --resource "gpus/nvidia=1" --array 1-16 ./task.sh;
hq job wait all
hq server stop
wait $worker
echo "worker: $?"
wait
echo "Everything done!"
"""


@case
def batch_script(w):
    shutil.copy(ROOT / "examples/slurm/task.sh", w.work)
    p = w.start("batch", "bash", "-c", BATCH, env={"TASK_SECONDS": "0", "HQ_SERVER_DIR": None})
    eq(p.wait(90), 0)
    has(p.log(), "worker: 0\n", "Everything done!", "Job submitted successfully, job ID: 1\n", "job ID: 2\n")
    assert not re.search("ERROR|WARN", p.log().replace("WARN The job will create", "")), p.log()
    for job, last in ((1, 300), (2, 16)):
        for i in range(1, last + 1):
            out, err = w.read(f"job-{job}/{i}.stdout"), w.read(f"job-{job}/{i}.stderr")
            gpu = "" if job == 1 else r"[01]"
            assert re.fullmatch(rf".*: start task {i} on \S+, CUDA_VISIBLE_DEVICES={gpu}\n"
                                rf".*: end task {i} on \S+, CUDA_VISIBLE_DEVICES={gpu}\n", out), out
            eq(err, "")
        eq(len(list((w.work / f"job-{job}").iterdir())), 2 * last)
    eq(sorted(p.name for p in w.work.iterdir()), ["job-1", "job-2", "task.sh"], "nothing else is written")
    eq(os.listdir(w.home / ".hq-server"), ["001"], "hq-current is gone")


@case
def quick_tasks_use_every_cpu(w):
    w.server()
    w.worker(cpus=3)
    job = w.submit("--array=1-3000", "--stdout=none", "--stderr=none", "--", "true")
    w.hq("job", "wait", "all", seconds=60)
    eq(w.stats(job), {"aborted": 0, "canceled": 0, "failed": 0, "finished": 3000, "running": 0, "waiting": 0})


@case
def several_servers(w):
    dirs = [str(w.base / f"s{i}") for i in range(3)]
    servers = [w.server(env={"HQ_SERVER_DIR": d}) for d in dirs]
    for i, d in enumerate(dirs):
        w.worker("--server-dir", d, f"--hostname=w{i}")
    for i, d in enumerate(dirs):
        for _ in range(i):
            w.submit("--server-dir", d, "--", "true")
    uids = set()
    for i, d in enumerate(dirs):
        w.hq("--server-dir", d, "job", "wait", "all")
        eq([j["id"] for j in w.json("job", "list", "--all", "--server-dir", d)], list(range(1, i + 1)))
        eq([x["configuration"]["hostname"] for x in w.json("worker", "list", "--server-dir", d)], [f"w{i}"])
        uids.add(w.json("--server-dir", d, "server", "info")["server_uid"])
    eq(len(uids), 3)
    w.hq("--server-dir", dirs[1], "server", "stop")
    eq(servers[1].wait(), 0)
    eq(w.processes[4].wait(), 0, "its worker")
    assert servers[0].alive() and servers[2].alive()
    w.hq("--server-dir", dirs[0], "submit", "--wait", "--", "true")


@case
def relative_server_dir(w):
    w.start("server", HQ, "server", "start", "--server-dir=here")
    w.hq("server", "wait", "--server-dir=here")
    target = os.readlink(w.work / "here/hq-current")
    eq((w.work / "here/hq-current").resolve(), (w.work / "here/001").resolve(), target)


@case
def generate_access_with_fixed_ports(w):
    ports = free_port(), free_port()
    client, worker = w.base / "client", w.base / "worker"
    client.mkdir(), worker.mkdir()
    args = ["server", "generate-access", "full.json", f"--client-file={client}/access.json", "--host=localhost",
            f"--worker-file={worker}/access.json", f"--client-port={ports[0]}", f"--worker-port={ports[1]}"]
    w.hq(*args)
    has(w.hq(*args, rc=1).err, "File exists (os error 17)")
    for path in (w.work / "full.json", client / "access.json", worker / "access.json"):
        eq(stat.S_IMODE(path.stat().st_mode), 0o400, path)
    full = json.loads((w.work / "full.json").read_text())
    eq(list(full), ["version", "server_uid", "client", "worker"])
    eq((full["version"], full["client"]["port"], full["worker"]["port"]), ("hqcore-1", *ports))
    assert re.fullmatch("[0-9a-f]{64}", full["client"]["secret_key"]), full
    assert re.fullmatch("[0-9A-Za-z]{6}", full["server_uid"]), full
    assert full["client"]["secret_key"] != full["worker"]["secret_key"]
    eq(list(json.loads((client / "access.json").read_text())), ["version", "client"])
    eq(list(json.loads((worker / "access.json").read_text())), ["version", "worker"])

    w.server("--access-file=full.json")
    info = w.json("server", "info", "--server-dir", client)
    eq((info["server_uid"], info["client_port"], info["worker_port"]), (full["server_uid"], *ports))
    w.worker("--server-dir", worker)
    w.hq("--server-dir", client, "submit", "--wait", "--", "true")
    eq(w.states(1), ["finished"])
    p = w.worker("--server-dir", client, wait=False)
    eq(p.wait(), 1, "a worker with the clients' file")
    w.hq("--server-dir", worker, "job", "list", rc=1)


@case
def access_file_and_directory(w):
    w.server()
    eq(sorted(os.listdir(w.server_dir)), ["001", "hq-current"])
    eq(os.readlink(w.server_dir / "hq-current"), str(w.server_dir / "001"))
    path = w.server_dir / "001/access.json"
    eq(stat.S_IMODE(path.stat().st_mode), 0o400)
    access = json.loads(path.read_text())
    info = w.json("server", "info")
    for plane in ("client", "worker"):
        eq((info[f"{plane}_host"], info[f"{plane}_port"]), (access[plane]["host"], access[plane]["port"]))
    eq((info["pid"], info["server_uid"], info["server_dir"], info["journal_path"]),
       (w.processes[0].pid, access["server_uid"], None, None))
    # A directory that holds only the file serves as well.
    bare = w.base / "bare"
    bare.mkdir()
    shutil.copy(path, bare)
    eq(w.json("server", "info", "--server-dir", bare)["server_uid"], info["server_uid"])


@case
def signals_end_a_server_cleanly(w):
    for number, name in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")):
        server, worker = w.server(), w.worker()
        server.send(number)
        eq(server.wait(), 0, f"exit code after {name}")
        eq(worker.wait(), 0, "exit code of the worker")
        has(server.log(), f"Received {name}")
        assert not os.path.lexists(w.server_dir / "hq-current")
        has(w.hq("job", "list", rc=1).err, "No running instance of HQ found at")


@case
def a_second_signal_changes_nothing(w):
    server, worker = w.server(), w.worker()
    w.submit("--", "bash", "-c", "trap '' INT; sleep 60; sleep 60")
    w.await_running(1)
    server.send(signal.SIGTERM)
    server.send(signal.SIGTERM)
    eq(server.wait(), 0)
    worker.wait()


@case
def server_stop_returns_when_workers_have_left(w):
    server, workers = w.server(), [w.worker(f"--hostname=w{i}") for i in range(3)]
    w.submit("--array=1-3", "--", "sleep", "600")
    w.await_running(1, 3)
    w.hq("server", "stop")
    eq(server.wait(2), 0)
    for p in workers:
        eq(p.wait(4), 0, "exit code of a worker")
    has(server.log(), "Received Stop command from client", "Stopping server")


@case
def stale_directory_after_a_crash(w):
    server = w.server()
    server.kill()
    assert (w.server_dir / "hq-current").is_symlink()
    r = w.hq("job", "list", rc=1)
    has(r.err, "Access token found but HQ server", "is unreachable", f"hq server start --server-dir {w.server_dir}",
        "Connection refused (os error 111)")
    assert r.seconds < 3, r.seconds
    w.server()
    eq(sorted(os.listdir(w.server_dir)), ["001", "002", "hq-current"])
    eq((w.server_dir / "hq-current").resolve().name, "002")
    eq(w.json("job", "list"), [])


@case
def start_on_a_live_directory_is_refused(w):
    server = w.server()
    r = w.hq("server", "start", rc=1)
    has(r.err, f"Server at {w.server_dir} is already online, please stop it first using "
               f"`hq server stop --server-dir {w.server_dir}`")
    eq(os.listdir(w.server_dir / "001"), ["access.json"])
    eq((w.server_dir / "hq-current").resolve().name, "001")
    eq(w.json("server", "info")["pid"], server.pid)


@case
def several_starts_at_once_on_one_directory(w):
    starts = [w.start("start", HQ, "server", "start") for _ in range(6)]
    until(lambda: sum(p.alive() for p in starts) == 1, "all but one have been refused")
    for p in starts:
        has(p.log(), "| Server UID" if p.alive() else "is already online")
    (winner,) = [p for p in starts if p.alive()]
    eq(w.json("server", "info")["pid"], winner.pid)
    w.hq("server", "stop")
    eq(winner.wait(), 0)
    eq([d for d in os.listdir(w.server_dir) if d == "hq-current"], [])


@case
def directories_are_numbered(w):
    (w.server_dir / "136").mkdir(parents=True)
    (w.server_dir / "other").mkdir()
    w.server()
    eq((w.server_dir / "hq-current").resolve().name, "137")


@case
def server_wait_gives_up(w):
    r = w.hq("server", "wait", "--timeout=1s", rc=1)
    has(r.err, "Waiting for server to become available (timeout: 1s)...",
        f"Timeout after 1s: Could not connect to server at `{w.server_dir}`. Make sure that the server is running.")
    assert 0.9 < r.seconds < 3, r.seconds


@case
def server_wait_before_the_server(w):
    p = w.start("wait", HQ, "server", "wait", "--timeout=20")
    p.await_log("Waiting for server")
    w.server()
    eq(p.wait(8), 0)


@case
def fixed_ports(w):
    a, b = free_port(), free_port()
    w.server(f"--client-port={a}", f"--worker-port={b}", "--host=127.0.0.1", "--scheduler-time-limit=1s")
    info = w.json("server", "info")
    eq((info["client_port"], info["worker_port"], info["client_host"], info["worker_host"]),
       (a, b, "127.0.0.1", "127.0.0.1"))
    other = w.start("server", HQ, "server", "start", f"--client-port={a}", "--server-dir=other")
    eq(other.wait(), 1, "the port is taken")
    has(other.log(), "Cannot create HQ server socket\n\nCaused by:\n    ", "Address already in use (os error 98)")
    w.processes.remove(other)


@case
def a_server_does_not_grow(w):
    """File descriptors and memory are those of before, when clients and workers have come and gone."""
    server = w.server()

    def round_trip():
        worker = w.worker()
        for _ in range(10):
            w.hq("job", "list")
        w.hq("submit", "--wait", "--", "true")
        w.hq("worker", "stop", "all")
        eq(worker.wait(), 0)

    round_trip()
    fds = count_fds(server.pid)
    rss = status_kib(server.pid, "VmRSS")
    for _ in range(3):
        round_trip()
    until(lambda: count_fds(server.pid) <= fds, f"the server has {fds} descriptors again")
    if "libasan" not in pathlib.Path(f"/proc/{server.pid}/maps").read_text():  # which keeps what is freed
        assert status_kib(server.pid, "VmRSS") - rss < 2048, (rss, status_kib(server.pid, "VmRSS"))
    assert len(os.listdir(f"/proc/{server.pid}/task")) <= 4


@case
def open_jobs(w):
    w.server()
    w.worker()
    eq(w.hq("job", "open", "--name=many").out, "Job 1 is open.\n")
    p = w.start("waiter", HQ, "job", "wait", "1")
    eq(w.submit("--job=1", "--array=0-2", "--", "true"), 1)
    eq(w.submit("--job=1", "--", "true"), 1)
    w.hq("job", "wait", "--without-close", "1")
    eq([t["id"] for t in w.tasks(1)], [0, 1, 2, 3])
    assert p.alive(), "an open job has ended?"
    w.hq("job", "close", "1")
    eq(p.wait(), 0)
    eq(w.hq("--output-mode=quiet", "job", "list", "--all").out, "1 FINISHED\n")
    has(w.hq("submit", "--job=1", "--", "true", rc=1).err, "Job 1 is not opened.")


main()
