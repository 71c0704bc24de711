# SPDX-License-Identifier: MIT
"""hyperqueue_peer.py CPUS - the published HyperQueue (PyPI `hyperqueue`): server, worker and client in one process.

The package has no command, so this one stays, and runs what its standard input asks for, a line each:

    TASKS FOLDER    runs /bin/true TASKS times, with two output files each in FOLDER ("-": none)

and answers each with a line: seconds, seconds of processor time of everything, tasks included. Its client looks for the
end of a job only once a second; so the end is told by one more task, of the lowest priority, through a FIFO."""
import contextlib
import io
import os
import resource
import sys
import tempfile
import time

import hyperqueue
from hyperqueue.cluster import WorkerConfig


def cpu_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def job_of(tasks, folder, fifo):
    job = hyperqueue.Job()
    for i in range(tasks - 1):
        files = {"stdout": f"{folder}/{i}.stdout", "stderr": f"{folder}/{i}.stderr"} if folder != "-" else \
            {"stdout": None, "stderr": None}
        job.program(["/bin/true"], **files)
    job.program(["/bin/sh", "-c", f"echo >{fifo}"], stdout=None, stderr=None, priority=-1)
    return job


def measure(client, fifo, tasks, folder):
    job = job_of(tasks, folder, fifo)
    cpu, start = cpu_seconds(), time.perf_counter()
    submitted = client.submit(job)
    with open(fifo, "rb") as f:
        f.read()
    seconds = time.perf_counter() - start
    return submitted, seconds, cpu_seconds() - cpu


def serve(cpus, out):
    cluster = hyperqueue.LocalCluster(worker_config=WorkerConfig(cores=cpus))
    client, jobs = cluster.client(), []
    with tempfile.TemporaryDirectory() as work:
        fifo = os.path.join(work, "fifo")
        os.mkfifo(fifo)
        print(hyperqueue.get_version(), file=out, flush=True)
        for line in sys.stdin:
            tasks, folder = line.split()
            job, seconds, cpu = measure(client, fifo, int(tasks), folder)
            jobs.append(job)
            print(seconds, cpu, file=out, flush=True)
        with contextlib.redirect_stderr(io.StringIO()): # a progress bar
            client.wait_for_jobs(jobs) # raises when any task failed
    cluster.stop()


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1) # the server's table
    serve(int(sys.argv[1]), out)


main()
