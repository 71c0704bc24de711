#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mpi_driver_test.py HQ DRIVER - an MPI program that runs ensembles beside itself (examples/mpi_driver), on two nodes of a real
Slurm cluster, two ranks each.

Both nodes have run tasks, results came back in memory, what was overtaken was cancelled, and nothing is left. Needs root, Slurm's
packages and Open MPI; skipped (77) with the reason where they are missing.
"""
import pathlib, re, shutil, sys

import slurm

DRIVER = pathlib.Path(sys.argv[2]).resolve()
TASK = (slurm.ROOT / "examples/mpi_driver/task.sh").read_text()
# The first generation would never end by itself.
FIRST = "[ $GENERATION != 0 ] || exec sleep 600\n"
JOB = """#!/bin/bash
#SBATCH --nodes 2
#SBATCH --ntasks-per-node 2
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl=self,vader,tcp OMPI_MCA_mpi_yield_when_idle=1
mpirun {driver} 1200 "$PWD/task.sh"
"""


def check_ensembles(cluster, work):
    (work / "task.sh").write_text(TASK.replace("sleep", FIRST + "sleep", 1))
    (work / "task.sh").chmod(0o755)
    log = cluster.batch(work, JOB.format(driver=DRIVER))
    summary = re.search(r"(\d+) generations, (\d+) results, (\d+) cancelled, longest dispatch ([\d.]+) ms", log)
    assert summary, log
    generations, results, cancelled = (int(summary[i]) for i in (1, 2, 3))
    assert generations == 6 and results + cancelled == generations * 8, log
    lines = re.findall(r"generation (\d+), member (\d+): (\d+) on (\S+)", log)
    assert len(lines) == results and results >= 3 * 8, log  # the newest three are never cancelled
    assert cancelled >= 8 and not any(g == "0" for g, *_ in lines), log
    assert all(int(value) == int(g) * 100 + int(m) for g, m, value, _ in lines), log
    assert {node for *_, node in lines} == {"node1", "node2"}, log
    print(summary[0])


def main():
    if not shutil.which("mpirun"):
        slurm.skip("Open MPI is not installed")
    with slurm.Cluster(sys.argv[1]) as cluster:
        work = cluster.base / "ensembles"
        work.mkdir()
        check_ensembles(cluster, work)
        cluster.check_nothing_left()


main()
