#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What commands print, in each mode."""
import json, os, re

from harness import HQ, case, eq, has, main, until

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


def world(w):
    w.server()
    w.worker("--hostname=w1", "--resource=mem=sum(1000)", "--group=g1", cpus="2x2")
    w.hq("submit", "--wait", "--name=mine", "--array=1-3", "--", "bash", "-c", "exit $((HQ_TASK_ID == 2 ? 7 : 0))")


@case
def job_list(w):
    world(w)
    w.submit("--resource=nothing=1", "--", "sleep", "1")
    eq(w.hq("job", "list").out, """\
+----+-------+---------+-------+
| ID | Name  | State   | Tasks |
+----+-------+---------+-------+
|  2 | sleep | WAITING | 1     |
+----+-------+---------+-------+
There are 2 jobs in total. Use `--all` to display all jobs.
""")
    eq(w.hq("job", "list", "--all", "--verbose").out, """\
+----+-------+---------+-------+---------------+
| ID | Name  | State   | Tasks | Cancel Reason |
+----+-------+---------+-------+---------------+
|  1 | mine  | FAILED  | 3     |               |
|  2 | sleep | WAITING | 1     |               |
+----+-------+---------+-------+---------------+
""")
    eq(w.hq("--output-mode=quiet", "job", "list", "--all").out, "1 FAILED\n2 WAITING\n")
    eq(w.hq("job", "list", "--output-mode=json", "--filter=failed").out, """\
[
  {
    "cancel_reason": null,
    "id": 1,
    "is_open": false,
    "name": "mine",
    "task_count": 3,
    "task_stats": {
      "aborted": 0,
      "canceled": 0,
      "failed": 1,
      "finished": 2,
      "running": 0,
      "waiting": 0
    }
  }
]
""")
    eq(w.hq("job", "list", env={"HQ_OUTPUT_MODE": "quiet"}).out, "2 WAITING\n")
    w.hq("job", "list", "--all", "--filter=failed", rc=2)


@case
def job_info(w):
    world(w)
    (job,) = w.json("job", "info", "1")
    eq(sorted(job), ["finished_at", "info", "max_fails", "started_at", "submits", "tasks"])
    assert re.fullmatch(ISO, job["started_at"]) and re.fullmatch(ISO, job["finished_at"]), job
    (submit,) = job["submits"]
    eq(submit["array"], {
        "crash_limit": 5, "pin_mode": None, "priority": 0, "task_dir": False, "time_limit": None,
        "program": {"args": ["bash", "-c", "exit $((HQ_TASK_ID == 2 ? 7 : 0))"], "cwd": str(w.work), "env": {},
                    "stderr": f"{w.work}/job-1/%{{TASK_ID}}.stderr", "stdout": f"{w.work}/job-1/%{{TASK_ID}}.stdout"},
        "resources": [{"min_time": 0.0, "n_nodes": 0, "weight": 10000,
                       "resources": [{"request": {"Compact": 10000}, "resource": "cpus"}]}]})
    failed = job["tasks"][1]
    eq({k: v for k, v in failed.items() if not k.endswith("_at")},
       {"id": 2, "state": "failed", "error": "Program terminated with exit code 7.", "worker": 1, "cwd": str(w.work),
        "stdout": f"{w.work}/job-1/2.stdout", "stderr": f"{w.work}/job-1/2.stderr"})
    assert job["started_at"] <= failed["started_at"] <= failed["finished_at"] <= job["finished_at"], job
    eq(w.hq("job", "info", "1", "--output-mode=quiet").out, "")
    out = w.hq("job", "info", "1").out
    for line in (r"\| ID +\| 1 +\|", r"\| Name +\| mine +\|", r"\| State +\| \[#{40}\] +\|", r"\| +\| FAILED \(1\) +\|",
                 r"\| +\| FINISHED \(2\) +\|", r"\| Tasks +\| 3; Ids: 1-3 +\|", r"\| Workers +\| w1 +\|",
                 r"\| Resources +\| cpus: 1 compact +\|", r"\| Crash limit +\| 5 +\|", r"1 tasks failed\.",
                 r"\| 2 +\| w1 +\| Program terminated with exit code 7\. \|"):
        assert re.search(line, out), f"{line} is not in\n{out}"
    w.hq("job", "open")
    idle = w.json("job", "info", "last")[0]
    eq(idle["finished_at"], idle["started_at"])
    w.submit("--job=2", "--", "true")
    w.hq("job", "wait", "2", "--without-close")
    idle = w.json("job", "info", "last")[0]
    eq(idle["finished_at"], idle["tasks"][0]["finished_at"])
    w.submit("--job=2", "--cpus=100", "--", "true")
    eq(w.json("job", "info", "last")[0]["finished_at"], None)
    r = w.hq("job", "info", "9", "--output-mode=json")
    eq(r.json(), [])
    has(r.err, "ERROR Job 9 not found")


@case
def jobs_whose_details_are_more_than_a_message(w):
    w.server()
    large = [f"--env=V{i}=" + "x" * 100000 for i in range(14)]
    for _ in range(13):
        w.submit(*large, "--cpus=100", "--", "true")
    eq(len(re.findall(r"^\| ID ", w.hq("job", "info", "all").out, re.M)), 13)
    eq([j["info"]["id"] for j in w.json("job", "info", "all")], list(range(1, 14)))
    eq(len(w.json("task", "list", "1-13")), 13)
    eq(len(w.json("job", "task-ids", "all")), 13)


@case
def tasks(w):
    world(w)
    r = w.hq("task", "list", "1")
    has(r.out, "| Task ID | State    | Worker | Makespan |", "Program terminat...")
    has(r.err, "An error message was truncated. Use -v to display the full error.")
    has(w.hq("task", "list", "1", "-v").out, "Program terminated with exit code 7.")
    eq([t["id"] for t in w.json("task", "list", "1", "--task-status=failed")["1"]], [2])
    eq([t["state"] for t in w.json("task", "info", "1", "1-2")], ["finished", "failed"])
    eq(w.hq("--output-mode=quiet", "task", "list", "1").out, "")
    eq(w.hq("job", "task-ids", "1").out, "1-3\n")
    eq(w.hq("job", "task-ids", "1", "--filter=finished").out, "1,3\n")
    eq(w.json("job", "task-ids", "1"), {"1": [1, 2, 3]})


@case
def submit(w):
    w.server()
    eq(w.hq("submit", "--", "true").out, "Job submitted successfully, job ID: 1\n")
    eq(w.hq("--output-mode=json", "submit", "--", "true").out, '{\n  "id": 2\n}\n')
    eq(w.hq("--output-mode=quiet", "submit", "--", "true").out, "3\n")
    eq(w.hq("--colors=always", "submit", "--", "true").out.count("\x1b["), 2)


@case
def workers(w):
    world(w)
    eq(w.hq("worker", "list").out, """\
+----+---------+----------+------------------------+---------+----------------+
| ID | State   | Hostname | Resources              | Manager | Manager Job ID |
+----+---------+----------+------------------------+---------+----------------+
|  1 | RUNNING | w1       | cpus 2x2; mem 0.98 GiB | None    | N/A            |
+----+---------+----------+------------------------+---------+----------------+
""")
    eq(w.hq("worker", "list", "--output-mode=quiet").out, "1 RUNNING\n")
    (worker,) = w.json("worker", "list")
    eq((worker["id"], worker["allocation"], worker["ended"], worker["runtime_info"]), (1, None, None, None))
    eq(worker["last_task_started"]["task_id"]["job_id"], 1)
    c = worker["configuration"]
    eq((c["group"], c["hostname"], c["heartbeat_interval"], c["on_server_lost"], c["time_limit"], c["idle_timeout"]),
       ("g1", "w1", 8.0, "stop", None, None))
    eq(c["resources"], {"coupling": {"weights": []}, "resources": [
        {"groups": [["0", "1"], ["2", "3"]], "kind": "groups", "name": "cpus"},
        {"kind": "sum", "name": "mem", "size": 10000000}]})
    eq(w.json("worker", "info", "1")[0]["runtime_info"],
       {"SingleNodeTasks": {"assigned_tasks": 0, "is_reserved": False, "running_tasks": 0}})
    out = w.hq("worker", "info", "1").out
    for line in (r"\| Group +\| g1", r"\| Heartbeat +\| 8s", r"\| Runtime Info +\| assigned tasks: 0 +\|",
                 rf"\| Process pid +\| {w.processes[1].pid} +\|"):
        assert re.search(line, out), f"{line} is not in\n{out}"
    eq(w.hq("worker", "address", "1").out, "w1\n")
    has(w.hq("worker", "address", "7", rc=1).err, "Worker 7 not found")
    has(w.hq("worker", "stop", "99").err, "Stopping worker 99 failed; worker not found")
    has(w.hq("worker", "stop", "1").err, "Worker 1 stopped")
    w.await_worker(1, "STOPPED")
    has(w.hq("worker", "stop", "1").err, "Stopping worker 1 failed; worker is already stopped")
    eq(w.hq("worker", "list", "--output-mode=quiet").out, "")
    assert re.fullmatch(ISO, w.json("worker", "list", "--all")[0]["ended"]["at"])


def printed(p):
    """What a server or worker has printed beside its log lines."""
    return "".join(line for line in p.log().splitlines(True) if not re.match(ISO + " ", line))


@case
def starts(w):
    """What servers and workers print of themselves, in each mode."""
    for mode in ("json", "quiet", "cli"):
        server = w.start("server", HQ, f"--output-mode={mode}", "server", "start", "--client-port=0")
        w.hq("server", "wait", "--timeout=20")
        worker = w.start("worker", HQ, f"--output-mode={mode}", "worker", "start", "--cpus=1", "--detect-resources=none")
        w.hq("worker", "wait", "1")
        info = w.json("server", "info")
        until(lambda: mode == "quiet" or printed(worker).endswith("]\n" if mode == "json" else "+\n"),
              "the worker has told of itself")
        if mode == "json":
            eq(json.loads(printed(server)), {**info, "server_dir": str(w.server_dir),
                                             "start_date": json.loads(printed(server))["start_date"]})
            (told,), (known,) = json.loads(printed(worker)), w.json("worker", "list")
            eq(told, {**known, "started": told["started"]})
        elif mode == "quiet":
            eq((printed(server), printed(worker)), (f"{w.server_dir}\n", ""))
        else:
            has(printed(server), f"| Server directory | {w.server_dir} |\n")
            has(printed(worker), "| Worker            | 1 ")
            assert "Runtime Info" not in printed(worker)
        w.stop(server)
        eq(worker.wait(), 0)


@case
def debug_dump(w):
    """Written by the server, in its working directory, over what was there."""
    server = w.server()
    w.worker("--hostname=w1", cpus=2)
    w.hq("submit", "--array=1-3", "--resource=nothing=1", "--name=mine", "--env=SECRET=hidden", "--", "true")
    (w.work / "dump.json").write_text("x" * 100000)
    r = w.hq("server", "debug-dump", "dump.json", cwd=w.base)
    eq([line.split(" ", 2)[1:] for line in r.err.splitlines()], [["INFO", "Dumping server state ..."],
                                                                 ["INFO", "Dump finished"]])
    dump = json.loads(w.read("dump.json"))["tako"]
    (job,), (queue,), (worker,) = dump["jobs"], dump["queues"], dump["workers"]
    eq((job["name"], job["counts"]["waiting"], job["submits"][0]["tasks"]), ("mine", 3, 3))
    eq((queue["waiting"], queue["priority"]), (3, 0))
    eq((worker["hostname"], worker["resources"]), ("w1", [{"name": "cpus", "total": 2.0, "free": 2.0}]))
    eq((dump["counters"]["jobs"], dump["counters"]["clients"]), (1, 1))
    assert "hidden" not in w.read("dump.json")
    eq(w.json("server", "debug-dump", w.base / "other.json"), {})
    os.mkfifo(w.work / "fifo")
    for path, why in (("missing/x", "No such file or directory (os error 2)"), (".", "Is a directory (os error 21)"),
                      ("/dev/full", "No space left on device (os error 28)"),
                      ("fifo", "No such device or address (os error 6)")):
        r = w.hq("server", "debug-dump", path, rc=1)
        has(r.err, f"\nError: Could not write debug dump: {why}\n")
    has(w.hq("server", "debug-dump", "", rc=2).err, "a value is required for '<PATH>' but none was supplied")
    has(w.hq("server", "debug-dump", "x" * 5000, rc=1).err, "a path of 5000 bytes: expected 1 to 4095")
    assert server.alive()


@case
def errors(w):
    expected = f'Invalid server directory\n\nCaused by:\n    Error: "{w.server_dir}" is not a directory'
    r = w.hq("job", "list", rc=1)
    eq((r.out, r.err), ("", expected + "\n"))
    r = w.hq("job", "list", "--output-mode=json", rc=1)
    eq((json.loads(r.out), r.err), ({"error": expected}, ""))
    eq(w.hq("job", "list", "--output-mode=quiet", rc=1).err, expected + "\n")
    r = w.hq("job", "lst", "--output-mode=json", rc=2)
    eq(r.out, "")
    has(r.err, "error: unrecognized subcommand 'lst'")


@case
def nothing_is_an_empty_object(w):
    w.server()
    for args in (["job", "wait", "all"], ["job", "cancel", "all"], ["worker", "stop", "all"], ["job", "close", "all"]):
        eq(w.hq("--output-mode=json", *args).out, "{}\n", args)


@case
def job_cat(w):
    world(w)
    w.hq("submit", "--wait", "--array=1-3", "--", "bash", "-c", r"printf 'out %d\n\377' $HQ_TASK_ID; echo err >&2")
    got = w.hq("job", "cat", "2", "stdout", "--print-task-header", "--tasks=1,3")
    eq(got.raw, b"# Job 2, task 1\nout 1\n\xff# Job 2, task 3\nout 3\n\xff")
    eq(w.hq("job", "cat", "last", "stderr").out, "err\n" * 3)
    has(w.hq("--output-mode=json", "job", "cat", "2", "stdout", rc=1).out, "JSON output mode doesn't support job output")


@case
def a_closed_pipe_is_no_error(w):
    world(w)
    w.submit("--array=1-20000", "--resource=nothing=1", "--", "true")
    p = w.start("pipe", "bash", "-c", "hq task list 2 | head -1; echo ${PIPESTATUS[0]}")
    p.wait()
    has(p.log(), "\n141\n")
    eq(len(p.log().splitlines()), 2, p.log())


@case
def help_and_version(w):
    has(w.hq("--version").out, "hyperqueue ")
    for args in ([], ["server"], ["job"], ["worker"]):
        w.hq(*args, rc=2)
        has(w.hq(*args, "--help").out, "Usage: ")
    has(w.hq("submit", "--help").out, "--crash-limit")


main()
