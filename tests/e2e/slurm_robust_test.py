#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""slurm_robust_test.py HQ - the robust batch script of examples/slurm, unmodified, on a real two-node Slurm cluster: ended by Slurm in
mid-run as at its time limit (SIGTERM, some seconds, SIGKILL), and submitted again with the old job's id.

Only what had not finished runs in the second job, all outputs are complete, and `job wait all` waits for the restored jobs. Needs
root and Slurm's packages; skipped (77) with the reason where they are missing. SLURM_ROUNDS=N ends each job N times
before it may finish; SLURM_TIMEOUT=1 lets Slurm find its time limit of a minute, instead of being told to end the job.
"""
import os, re, shutil, sys, time

import slurm

TASK = """#!/bin/bash
log=log/${HQ_JOB_ID}-${HQ_TASK_ID}
echo "start ${HQ_INSTANCE_ID} $(date +%s.%N) $(hostname)" >> $log
echo "$(date): start task ${HQ_TASK_ID}"
sleep {seconds}
echo "$(date): end task ${HQ_TASK_ID}"
echo "end ${HQ_INSTANCE_ID} $(date +%s.%N)" >> $log
"""
NAMES = [f"1-{i}" for i in range(1, 301)] + [f"2-{i}" for i in range(1, 17)]
BY_LIMIT = bool(os.environ.get("SLURM_TIMEOUT"))
SLEEP_S = 1.2 if BY_LIMIT else 0.3  # 316 of them, four at a time: more than a minute, or less
NEWS_S = 1.0  # from the end of a task to its outcome being safe, and some


def events(work):
    """By task: [(what, instance, when)]"""
    found = {}
    for name in NAMES:
        path = work / "log" / name
        lines = path.read_text().splitlines() if path.exists() else []
        found[name] = [(f[0], int(f[1]), float(f[2])) for f in map(str.split, lines)]
    return found


def n_ended(work):
    return sum(any(e[0] == "end" for e in v) for v in events(work).values())


def end_in_mid_run(cluster, work, job, goal):
    """The time of the end."""
    deadline = time.monotonic() + slurm.TIMEOUT_S
    while n_ended(work) < goal:
        assert time.monotonic() < deadline, f"{n_ended(work)} tasks ended, waiting for {goal}\n" + (work / "job.out").read_text()
        time.sleep(0.1)
    end = time.time()
    if not BY_LIMIT:
        cluster.call("run", "scancel", job)
    state, shown = cluster.wait(job)
    assert state in ("CANCELLED", "TIMEOUT"), f"{state}\n{shown}"
    return end if state == "CANCELLED" else time.time() - 15


def check_second_runs(before, after, ended):
    again = [name for name in NAMES if len(after[name]) > len(before[name]) and
             any(what == "end" and when < ended - NEWS_S for what, _, when in before[name])]
    assert not again, f"{len(again)} tasks had finished before the end at {ended:.1f}, and ran again: {again[:10]}"


def check_outputs(work):
    for name, seen in events(work).items():
        job, task = name.split("-")
        text = (work / f"job-{job}/{task}.stdout").read_text()
        assert re.fullmatch(rf".*: start task {task}\n.*: end task {task}\n", text), f"{name}: {text!r}"
        instances = [i for what, i, _ in seen if what == "start"]
        assert instances == sorted(set(instances)), f"{name}: instances {instances}"


def main():
    # As at a centre, but for the patience between the two signals.
    os.environ["SLURM_CLUSTER_CONF"] = "KillWait=5"
    rounds = int(os.environ.get("SLURM_ROUNDS", "1"))
    with slurm.Cluster(sys.argv[1]) as cluster:
        work = cluster.base / "robust"
        (work / "log").mkdir(parents=True)
        shutil.copy(slurm.ROOT / "examples/slurm/robust.sh", work)
        (work / "task.sh").write_text(TASK.replace("{seconds}", str(SLEEP_S)))
        (work / "task.sh").chmod(0o755)
        options = ["--gpus-per-node=2"] + (["--time=1"] if BY_LIMIT else [])
        first = job = cluster.submit(work, *options, "robust.sh")
        for number in range(rounds):
            ended = end_in_mid_run(cluster, work, job, (number + 1) * (100 if BY_LIMIT else 250) // rounds)
            before = events(work)
            print(f"ended after {n_ended(work)} of {len(NAMES)} tasks", flush=True)
            job = cluster.submit(work, *options, "robust.sh", first)
        log = cluster.finish(work, job)
        assert "Everything done!" in log, log
        after = events(work)
        check_second_runs(before, after, ended)
        check_outputs(work)
        twice = sum(sum(e[0] == "start" for e in v) > 1 for v in after.values())
        print(f"{twice} tasks were running at an end, and ran again")
        cluster.check_nothing_left()
        left = [p.name for p in work.glob(".hq-*") if str(p.name).startswith(f".hq-journal-{first}")]
        assert left == [], left


main()
