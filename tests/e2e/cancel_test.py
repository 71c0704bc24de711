#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Cancelling: what runs is gone soon, what waits at once, whatever their number; and what that costs the server."""
import re

from harness import case, eq, has, is_alive, main, status_kib, until

QUICK_S = 0.1  # a command on an array of any size, its start included
MIB_KIB = 1024


@case
def running_tasks_are_killed(w):
    w.server()
    w.worker(cpus=2)
    w.script("t.sh", "#!/bin/bash\necho $$ > pid.$HQ_TASK_ID\nsleep 600 &\necho $! > child.$HQ_TASK_ID\nwait\n")
    job = w.submit("--array=1-4", "--", "./t.sh")
    pids = [w.await_pid(f"{what}.{i}") for i in (1, 2) for what in ("pid", "child")]
    r = w.hq("job", "cancel", "1", "--reason=enough")
    has(r.err, "Job 1 canceled (4 tasks canceled, 0 tasks already finished)")
    eq(w.states(job), ["canceled"] * 4)
    until(lambda: not is_alive(pids[0]) and not is_alive(pids[2]), "the tasks are gone", 2.5)
    eq(w.json("job", "info", "1")[0]["info"]["cancel_reason"], "enough")
    w.hq("submit", "--wait", "--", "true")
    assert not (w.work / "pid.3").exists(), "a cancelled task was started"


@case
def tasks_that_ignore_sigint_are_killed(w):
    w.server()
    w.worker()
    w.script("t.sh", "#!/bin/bash\ntrap '' INT TERM\necho $$ > pid\nwhile :; do sleep 1; done\n")
    w.submit("--", "./t.sh")
    pid = w.await_pid("pid")
    w.hq("job", "cancel", "all")
    until(lambda: not is_alive(pid), "the task is gone", 3)
    w.hq("submit", "--wait", "--", "true")  # its cpu is free again


@case
def a_task_may_end_in_its_own_way(w):
    w.server()
    w.worker()
    w.script("t.sh", "#!/bin/bash\ntrap 'echo saved; exit 0' INT\necho $$ > pid\nwhile :; do sleep 0.05; done\n")
    job = w.submit("--", "./t.sh")
    pid = w.await_pid("pid")
    w.hq("job", "cancel", "1")
    until(lambda: not is_alive(pid), "the task is gone", 2)
    eq(w.read("job-1/0.stdout"), "saved\n")
    eq(w.states(job), ["canceled"])


@case
def answers_about_what_cannot_be_cancelled(w):
    w.server()
    w.worker()
    w.hq("submit", "--wait", "--", "true")
    has(w.hq("job", "cancel", "1").err, "Canceling job 1 failed; all tasks are already finished")
    has(w.hq("job", "cancel", "99").err, "Canceling job 99 failed; job not found")
    has(w.hq("job", "cancel", "all").err, "There is nothing to cancel")
    w.submit("--resource", "gpu=1", "--array=1-3", "--", "true")
    has(w.hq("job", "cancel", "last").err, "Job 2 canceled (3 tasks canceled, 0 tasks already finished)")
    eq(w.json("job", "cancel", "1"), {})


@case
def hundred_thousand_waiting_tasks(w):
    w.server()
    w.worker()
    w.submit("--array=1-100000", "--", "sleep", "600")
    w.await_running(1)
    r = w.hq("job", "cancel", "all")
    has(r.err, "Job 1 canceled (100000 tasks canceled, 0 tasks already finished)")
    assert r.seconds < 0.5, r.seconds
    eq(w.stats(1), {"aborted": 0, "canceled": 100000, "failed": 0, "finished": 0, "running": 0, "waiting": 0})
    w.hq("submit", "--wait", "--", "true", seconds=5)


@case
def half_finished_array(w):
    w.server()
    w.worker(cpus=2)
    job = w.submit("--array=1-200000", "--stdout=none", "--stderr=none", "--", "true")
    until(lambda: w.stats(job)["finished"] > 100, "some have finished")
    m = re.search(r"\((\d+) tasks canceled, (\d+) tasks already finished\)", w.hq("job", "cancel", "1").err)
    stats = w.stats(job)
    eq((stats["canceled"], stats["finished"]), (int(m[1]), int(m[2])))
    eq(stats["canceled"] + stats["finished"], 200000)
    w.hq("submit", "--wait", "--", "true")
    eq(w.stats(job), stats, "nothing changes after a cancel")


@case
def ten_million_tasks_cost_nothing(w):
    server = w.server()
    times = {}

    def timed(name, *args):
        times[name] = min(w.hq(*args).seconds, times.get(name, 9e9))

    w.hq("submit", "--", "true")  # whatever is made once
    w.hq("job", "cancel", "all")
    w.hq("job", "list", "--all")
    before = status_kib(server.pid, "VmRSS")
    for _ in range(3):
        timed("submit", "submit", "--array=1-10000000", "--", "true")
        timed("list", "job", "list")
        timed("info", "--output-mode=quiet", "job", "list", "--all")
        timed("cancel", "job", "cancel", "last")
    grown = status_kib(server.pid, "VmRSS") - before
    print("  ", ", ".join(f"{k} {v * 1000:.1f} ms" for k, v in times.items()), f"server +{grown} kB")
    eq(w.stats(4)["canceled"], 10_000_000)
    assert grown < MIB_KIB, f"the server has grown by {grown} kB"
    for name, seconds in times.items():
        assert seconds < QUICK_S, f"{name} took {seconds * 1000:.0f} ms"


@case
def max_fails(w):
    w.server()
    w.worker()
    job = w.submit("--array=1-20", "--max-fails=2", "--", "false")
    w.hq("job", "wait", "all")
    eq(w.stats(job), {"aborted": 17, "canceled": 0, "failed": 3, "finished": 0, "running": 0, "waiting": 0})


main()
