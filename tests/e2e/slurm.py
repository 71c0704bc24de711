# SPDX-License-Identifier: MIT
"""slurm.py - a Slurm cluster of two nodes on this machine (tests/slurm/cluster), for the tests beside."""
import os, pathlib, re, shutil, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "tests/slurm/cluster"
TIMEOUT_S = 180  # of one job, which takes about 15 s on two cores
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def skip(why):
    print("skipped:", why)
    sys.exit(77)


class Cluster:
    def __init__(self, hq):
        self.hq = pathlib.Path(hq).resolve()
        if os.geteuid() != 0:
            skip("needs root for network namespaces")
        if not all(shutil.which(p, path=SYSTEM_PATH) for p in ("slurmctld", "slurmd", "sbatch", "munged", "ip")):
            skip("Slurm, munge or iproute2 are not installed")
        if subprocess.run(["unshare", "--net", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
            skip("namespaces are not allowed here")
        state = tempfile.mkdtemp(prefix="hqs", dir="/run")
        os.rmdir(state)
        self.env = dict(os.environ, SLURM_CLUSTER_DIR=state, PATH=f"{SYSTEM_PATH}:{os.environ['PATH']}")
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="hq-slurm-"))

    def __enter__(self):
        self.call("up", "2")
        return self

    def __exit__(self, kind, value, trace):
        self.call("down", check=False)
        if kind is None:
            shutil.rmtree(self.base)
        else:
            print(f"files are kept in {self.base}", flush=True)

    def call(self, *args, check=True, timeout=60, **more):
        return subprocess.run([CLUSTER, *map(str, args)], env=more.pop("env", self.env), check=check, timeout=timeout,
                              text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              **more).stdout

    def submit(self, work, *args, **env):
        """Submits a batch script from `work` with hq on the PATH and a home of its own; the job's id."""
        env = dict(self.env, HOME=str(work), PATH=f"{self.hq.parent}:{self.env['PATH']}", **env)
        env = {k: v for k, v in env.items() if not k.startswith("HQ_")}
        out = self.call("run", "sbatch", "-o", "job.out", *args, cwd=work, env=env)
        return re.search(r"Submitted batch job (\d+)", out)[1]

    def wait(self, job):
        """(state, what Slurm says of it)"""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            out = self.call("run", "scontrol", "show", "job", job)
            state = re.search(r"JobState=(\w+)", out)[1]
            if state not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING"):
                return state, out
            time.sleep(0.3)
        return "TIMEOUT", self.call("run", "scontrol", "show", "job", job)

    def finish(self, work, job):
        """Waits until the job has completed; its output."""
        state, shown = self.wait(job)
        log = (work / "job.out").read_text() if (work / "job.out").exists() else ""
        assert state == "COMPLETED", f"{state}\n{shown}\n{log}"
        return log

    def batch(self, work, script):
        (work / "job.sh").write_text(script)
        return self.finish(work, self.submit(work, "job.sh"))

    def check_nothing_left(self):
        for node in ("node1", "node2"):
            out = self.call("exec", node, "ps", "-eo", "pid,args")
            left = [l for l in out.splitlines() if re.search(r"hq-helper|\bhq (server|worker|run)|task\.sh|sleep", l)]
            assert not left, f"{node}: left running:\n" + "\n".join(left)
