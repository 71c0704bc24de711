#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Workers, helpers and servers that die: no process of a task survives its worker, no task is lost."""
import os, re, signal, time

from harness import case, eq, has, is_alive, main, stat_of, until

HEARTBEAT = "--heartbeat=300ms"
SPREADING = """#!/bin/bash
# Leaves one descendant in its group, one in a session of its own, and one whose parent has gone.
sleep 600 &
echo $! > child.$HQ_INSTANCE_ID
setsid bash -c 'trap "" INT TERM HUP; echo $$ > session.$HQ_INSTANCE_ID; while :; do sleep 1; done' &
(setsid sleep 600 & echo $! > orphan.$HQ_INSTANCE_ID)
echo $$ > self.$HQ_INSTANCE_ID
wait
"""
KINDS = ("self", "child", "session", "orphan")


def pids_of(w, instance=0):
    return {kind: w.await_pid(f"{kind}.{instance}") for kind in KINDS}


def await_gone(pids, seconds=3):
    until(lambda: not any(map(is_alive, pids.values())), f"{pids} are gone", seconds)


def name_of(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def parent_of(pid):
    return int(stat_of(pid)[1])


def cluster(w, *args):
    w.script("t.sh", SPREADING)
    server = w.server()
    return server, w.worker(*args)


@case
def killed_worker(w):
    server, worker = cluster(w)
    job = w.submit("--", "./t.sh")
    pids = pids_of(w)
    w.await_running(job)
    worker.kill()
    start = time.monotonic()
    await_gone(pids)
    w.await_worker(1, "CONNECTION LOST", 3)
    eq(w.states(job), ["waiting"])
    w.worker()
    w.await_running(job)
    second = pids_of(w, 1)
    assert time.monotonic() - start < 15
    w.hq("job", "cancel", "all")
    until(lambda: not is_alive(second["self"]), "the second instance is gone", 3)


@case
def killed_process_group(w):
    _, worker = cluster(w)
    w.submit("--", "./t.sh")
    pids = pids_of(w)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    await_gone(pids)


@case
def nothing_is_lost_when_a_worker_dies_in_full_run(w):
    w.server()
    first, _ = w.worker(cpus=2), w.worker(cpus=2)
    job = w.submit("--array=1-400", "--stdout=none", "--stderr=none", "--", "bash", "-c",
                   "sleep 0.01; echo $HQ_TASK_ID >> done.$HQ_INSTANCE_ID")
    until(lambda: w.stats(job)["finished"] > 50, "some have finished")
    first.kill()
    w.hq("job", "wait", job, seconds=60)
    eq(w.stats(job)["finished"], 400)
    done = [int(x) for f in w.work.glob("done.*") for x in f.read_text().split()]
    eq(set(done), set(range(1, 401)))


@case
def stopped_process_is_heartbeat_lost(w):
    server, worker = cluster(w, HEARTBEAT)
    job = w.submit("--", "./t.sh")
    pids = pids_of(w)
    w.await_running(job)
    worker.send(signal.SIGSTOP)
    w.await_worker(1, "HEARTBEAT LOST", 10)
    eq(w.states(job), ["waiting"])
    has(server.log(), "heartbeat lost")
    other = w.worker("--hostname=other")
    second = pids_of(w, 1)
    worker.send(signal.SIGCONT)  # learns that its session is over
    eq(worker.wait(10), 1)
    await_gone(pids)
    assert is_alive(second["self"]), "the wrong one was killed"
    w.hq("job", "cancel", "all")
    until(lambda: not is_alive(second["self"]), "the second instance is gone", 3)


@case
def a_short_stop_is_forgiven(w):
    _, worker = cluster(w, "--heartbeat=5s")
    job = w.submit("--", "bash", "-c", "echo $$ > pid; until [ -e go ]; do sleep 0.02; done")
    pid = w.await_pid("pid")
    worker.send(signal.SIGSTOP)
    time.sleep(0.5)  # shorter than the heartbeat: nobody may mind
    worker.send(signal.SIGCONT)
    (w.work / "go").touch()
    w.hq("job", "wait", job)
    eq((w.states(job), w.workers()), (["finished"], {1: "RUNNING"}))
    assert not is_alive(pid)


@case
def worker_stop(w):
    server, worker = cluster(w)
    job = w.submit("--crash-limit=1", "--", "./t.sh")
    pids = pids_of(w)
    w.await_running(job)
    w.hq("worker", "stop", "1")
    eq(worker.wait(8), 0)
    has(worker.log(), "Received stop command")
    await_gone(pids)
    w.await_worker(1, "STOPPED")
    eq(w.states(job), ["waiting"], "a stop is no crash")
    has(server.log(), "Worker 1 registered from", "connection closed: stopped")


@case
def interrupted_worker(w):
    for signum in (signal.SIGINT, signal.SIGTERM):
        w.script("t.sh", SPREADING)
        if not w.processes:
            w.server()
        worker = w.worker()
        job = w.submit("--", "./t.sh")
        pids = pids_of(w)
        w.await_running(job)
        worker.send(signum)
        eq(worker.wait(8), 0)
        has(worker.log(), "Worker received an external stop notification")
        await_gone(pids)
        w.await_worker(worker.id, "CONNECTION LOST")
        w.hq("job", "cancel", "all")
        for kind in KINDS:
            (w.work / f"{kind}.0").unlink()


@case
def crash_limit(w):
    w.server()
    body = "echo $$ > pid.$HQ_JOB_ID.$HQ_INSTANCE_ID; sleep 600"
    never = w.submit("--crash-limit=never-restart", "--", "bash", "-c", body)
    twice = w.submit("--crash-limit=2", "--", "bash", "-c", body)
    always = w.submit("--crash-limit=unlimited", "--", "bash", "-c", body)
    worker = w.worker(cpus=3)
    for job in (never, twice, always):
        w.await_running(job)
    worker.kill()
    until(lambda: w.states(never) == ["failed"], "the first has failed")
    eq(w.task(never)["error"], "Task was running on a lost worker while never restart flag was set.")
    eq((w.states(twice), w.states(always)), (["waiting"], ["waiting"]))
    worker = w.worker(cpus=3)
    for job in (twice, always):
        w.await_running(job)
    worker.kill()
    until(lambda: w.states(twice) == ["failed"], "the second has failed")
    eq(w.task(twice)["error"], "Task was running on a worker that was lost; the task has occurred 2 times in this "
                               "situation and limit was reached.")
    eq(w.states(always), ["waiting"])


@case
def server_killed_policy_stop(w):
    server, worker = cluster(w)
    w.submit("--", "./t.sh")
    pids = pids_of(w)
    server.kill()
    eq(worker.wait(4), 1)  # its host refuses: there is nothing to wait for
    has(worker.log(), "Server connection closed")
    await_gone(pids)


@case
def server_killed_policy_finish_running(w):
    server = w.server()
    worker = w.worker("--on-server-lost=finish-running")
    w.submit("--array=1-2", "--", "bash", "-c", "touch up.$HQ_TASK_ID; until [ -e go ]; do sleep 0.02; done; echo end")
    until((w.work / "up.1").exists, "the first task runs")
    server.kill()
    worker.await_log("Waiting for finishing running tasks")
    (w.work / "go").touch()
    eq(worker.wait(15), 1)
    has(worker.log(), "All running tasks were finished")
    eq(w.read("job-1/1.stdout"), "end\n")
    assert not (w.work / "up.2").exists(), "a task was started without a server"


@case
def finish_running_without_tasks(w):
    server = w.server()
    worker = w.worker("--on-server-lost=finish-running")
    server.kill()
    eq(worker.wait(4), 1)
    has(worker.log(), "No running tasks remain")


@case
def idle_timeout(w):
    w.server("--idle-timeout=1s")
    worker, busy = w.worker(), w.worker("--idle-timeout=1h")
    for p, shown in ((worker, "1s"), (busy, "1h")):
        assert re.search(rf"\| Idle timeout +\| {shown} ", p.log()), p.log()
    w.await_worker(1, "IDLE TIMEOUT", 10)
    eq(worker.wait(), 0)
    assert busy.alive()


@case
def a_busy_worker_is_not_idle(w):
    w.server()
    worker = w.worker("--idle-timeout=1s")
    job = w.submit("--", "sleep", "2")
    w.hq("job", "wait", job)
    eq(w.states(job), ["finished"])
    w.await_worker(1, "IDLE TIMEOUT", 10)
    eq(worker.wait(), 0)


@case
def worker_time_limit(w):
    _, worker = cluster(w, "--time-limit=2s")
    job = w.submit("--crash-limit=1", "--", "./t.sh")
    pids = pids_of(w)
    eq(worker.wait(10), 0)
    has(worker.log(), "Time limit reached")
    await_gone(pids)
    w.await_worker(1, "TIME LIMIT REACHED")
    eq(w.states(job), ["waiting"])


@case
def a_killed_worker_does_not_hold_up_a_stop(w):
    server = w.server()
    worker = w.worker()
    w.worker()
    worker.kill()
    seconds = w.hq("server", "stop").seconds
    assert seconds < 4, seconds
    eq(server.wait(), 0)


@case
def limits_of_zero_are_limits(w):
    w.server()
    worker = w.worker("--time-limit=0", wait=False)
    eq(worker.wait(), 0)
    has(worker.log(), "Time limit reached")
    worker = w.worker("--idle-timeout=500us")
    eq(worker.wait(), 0)
    w.await_worker(worker.id, "IDLE TIMEOUT")
    w.worker("--heartbeat=0", wait=False).await_log("is not above 150 ms")


@case
def killed_helper(w):
    _, worker = cluster(w)
    job = w.submit("--", "./t.sh")
    pids = pids_of(w)
    w.await_running(job)
    parent = parent_of(pids["self"])
    eq(name_of(parent), "hq-helper")
    os.kill(parent, signal.SIGKILL)
    for kind in ("session", "orphan"):  # only the helper could follow those: it is their subreaper
        os.kill(pids.pop(kind), signal.SIGKILL)
    await_gone(pids)
    second = pids_of(w, 1)
    assert worker.alive()
    eq(w.workers(), {1: "RUNNING"})
    w.hq("job", "cancel", "all")
    until(lambda: not is_alive(second["self"]), "the second instance is gone", 3)
    w.hq("submit", "--wait", "--", "true")


@case
def a_helper_that_dies_again_and_again(w):
    _, worker = cluster(w)
    job = w.submit("--crash-limit=3", "--", "bash", "-c", "kill -9 $PPID; sleep 600")
    until(lambda: w.states(job) == ["failed"], "the task has failed", 30)
    has(w.task(job)["error"], "limit was reached")
    w.hq("submit", "--wait", "--", "true")
    assert worker.alive()


@case
def descendants_of_finished_tasks_end_with_the_worker(w):
    _, worker = cluster(w)
    job = w.submit("--", "bash", "-c", "setsid sleep 600 & echo $! > left")
    w.hq("job", "wait", job)
    pid = w.await_pid("left")
    assert is_alive(pid)
    worker.kill()
    until(lambda: not is_alive(pid), "it is gone", 3)


main()
