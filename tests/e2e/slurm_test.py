#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""slurm_test.py HQ - the batch script of examples/slurm, unmodified, on a real two-node Slurm cluster.

316 output files with the right contents, both nodes used, no GPU given to two tasks at once, workers end by
themselves, srun exits 0, nothing is left running. Needs root and Slurm's packages; skipped (77) with the reason where they
are missing. SLURM_ROUNDS=N repeats the job N times on one cluster.
"""
import os, re, shutil, sys, time

import slurm


def parse(path):
    """(task, host, devices, start, end) of one stdout file."""
    text = path.read_text()
    m = re.fullmatch(r"(\S+): start task (\d+) on (\S+), CUDA_VISIBLE_DEVICES=(\S*)\n"
                     r"(\S+): end task \2 on \3, CUDA_VISIBLE_DEVICES=\4\n", text)
    assert m, f"{path}: {text!r}"
    return int(m[2]), m[3], m[4], float(m[1]), float(m[5])


def check_outputs(work):
    cpu = [parse(work / f"job-1/{i}.stdout") for i in range(1, 301)]
    gpu = [parse(work / f"job-2/{i}.stdout") for i in range(1, 17)]
    assert [t[0] for t in cpu] == list(range(1, 301))
    assert [t[0] for t in gpu] == list(range(1, 17))
    assert len(list(work.glob("job-*/*.stdout"))) == 316
    assert all((work / f"job-1/{i}.stderr").stat().st_size == 0 for i in range(1, 301))
    assert {t[1] for t in cpu} == {"node1", "node2"}, {t[1] for t in cpu}
    by_gpu = {}
    for task, host, devices, start, end in gpu:
        assert re.fullmatch(r"\d+", devices), f"task {task}: {devices!r} is not one GPU"
        by_gpu.setdefault((host, devices), []).append((start, end, task))
    for where, spans in by_gpu.items():
        spans.sort()
        for a, b in zip(spans, spans[1:]):
            assert a[1] <= b[0], f"{where}: tasks {a[2]} and {b[2]} overlap"


def one_round(cluster, number):
    work = cluster.base / f"round-{number}"
    work.mkdir()
    shutil.copy(slurm.ROOT / "examples/slurm/job.sh", work)
    # the example's task, with times that can be compared
    task = (slurm.ROOT / "examples/slurm/task.sh").read_text()
    assert "$(date)" in task
    (work / "task.sh").write_text(task.replace("$(date)", "$(date +%s.%N)"))
    (work / "task.sh").chmod(0o755)
    log = cluster.finish(work, cluster.submit(work, "--gpus-per-node=2", "job.sh", TASK_SECONDS="0.1"))
    assert "Everything done!" in log, log
    assert not re.search(r"srun: error|ERROR|Killed", log), log
    check_outputs(work)
    cluster.check_nothing_left()
    assert not (work / ".hq-server/hq-current").is_symlink(), "hq-current was left behind"


def main():
    with slurm.Cluster(sys.argv[1]) as cluster:
        for number in range(1, int(os.environ.get("SLURM_ROUNDS", "1")) + 1):
            start = time.monotonic()
            one_round(cluster, number)
            print(f"round {number}: 316 tasks, {time.monotonic() - start:.1f} s", flush=True)


main()
