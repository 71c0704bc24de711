#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""slurm_run_test.py HQ - `hq run` inside an allocation of two nodes, on a real Slurm cluster.

Both nodes work, the outputs are there, the exit code is that of the tasks, and the directory of the access file is gone. Needs
root and Slurm's packages; skipped (77) with the reason where they are missing.
"""
import re, sys, time

import slurm

TASK = """#!/bin/bash
echo "task $HQ_TASK_ID on $(hostname)"
sleep 0.1
exit ${FAIL:-0}
"""
JOB = """#!/bin/bash
#SBATCH --nodes 2
#SBATCH --ntasks-per-node 1
#SBATCH --account any
hq run --array 1-50 ./task.sh
echo "hq run: $?"
FAIL=3 hq run --array 1-4 --cwd second "$PWD/task.sh"
echo "hq run: $?"
ls -d .hq-run-* 2>/dev/null || true
"""
INTERRUPTED = """#!/bin/bash
#SBATCH --nodes 2
#SBATCH --ntasks-per-node 1
hq run --array 1-50 --stdout none --stderr none -- bash -c 'touch up.$HQ_TASK_ID; sleep 600' &
until [ -e up.1 ] && [ -e up.2 ]; do sleep 0.1; done
kill -INT $!
wait $!
echo "hq run: $?"
"""


def check_run(cluster, work):
    (work / "task.sh").write_text(TASK)
    (work / "task.sh").chmod(0o755)
    (work / "second").mkdir()
    log = cluster.batch(work, JOB)
    assert log.count("hq run: 0") == 1 and log.count("hq run: 1") == 1, log
    assert "50 tasks: 50 FINISHED" in log and "4 tasks: 4 FAILED" in log, log
    assert "Program terminated with exit code 3." in log, log
    assert ".hq-run-" not in log, log
    found = [re.fullmatch(r"task (\d+) on (node[12])\n", (work / f"job-1/{i}.stdout").read_text()) for i in range(1, 51)]
    assert [int(m[1]) for m in found] == list(range(1, 51))
    assert {m[2] for m in found} == {"node1", "node2"}, {m[2] for m in found}
    assert not list(work.glob(".hq-run-*")), "the access file is left"


def check_interrupted(cluster, work):
    log = cluster.batch(work, INTERRUPTED)
    assert "hq run: 130" in log, log
    assert "50 CANCELED" in log, log
    assert not list(work.glob(".hq-run-*")), "the access file is left"


def main():
    with slurm.Cluster(sys.argv[1]) as cluster:
        for check in (check_run, check_interrupted):
            work = cluster.base / check.__name__
            work.mkdir()
            start = time.monotonic()
            check(cluster, work)
            cluster.check_nothing_left()
            print(f"{check.__name__}: {time.monotonic() - start:.1f} s", flush=True)


main()
