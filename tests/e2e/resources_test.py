#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What workers offer, and what tasks get of it."""
import json, os, pathlib, re, shutil, subprocess, time

from harness import ROOT, Skip, case, eq, has, main, until


def offered(w, *args, cpus=1, **more):
    worker = w.worker(*args, cpus=cpus, **more)
    got = next(x for x in w.json("worker", "list") if x["id"] == worker.id)
    return {r.pop("name"): r for r in got["configuration"]["resources"]["resources"]}


@case
def time_left_of_a_pbs_job(w):
    w.server()
    left = "resources_used.walltime = 00:01:00\n    Resource_List.walltime = 00:21:00"
    job = {"Resource_List": {"walltime": "00:11:00"}, "resources_used": {"walltime": "00:01:00"}}
    env = {"PBS_ENVIRONMENT": "PBS_BATCH", "PBS_JOBID": "42.srv", "PATH": f"{w.work}:{w.env['PATH']}"}
    for answers, limit in ((f"""'-f 42.srv -F json') echo '{json.dumps({"Jobs": {"42.srv": job}})}';;""", 600.0),
                           (f"'-f 42.srv') echo '    {left}';;", 1200.0), ("", None)):
        w.script("qstat", f"""#!/bin/sh\ncase "$*" in {answers} *) exit 2;; esac\n""")
        worker = w.worker(env=env)
        got = next(x for x in w.json("worker", "list") if x["id"] == worker.id)
        eq(got["configuration"]["time_limit"], limit, answers)
        eq(got["allocation"], {"id": "42.srv", "manager": "PBS"})
        eq("`qstat` has failed" in worker.log(), limit is None, answers)


@case
def forms(w):
    w.server()
    for given, expected in (
            ("4", {"kind": "range", "start": 0, "end": 3}), ("1x4", {"kind": "range", "start": 0, "end": 3}),
            ("2x2", {"kind": "groups", "groups": [["0", "1"], ["2", "3"]]}),
            ("[0, 5,7]", {"kind": "list", "values": ["0", "5", "7"]}),
            ("[[0],[7,9]]", {"kind": "groups", "groups": [["0"], ["7", "9"]]}),
            ("range(2-5)", {"kind": "range", "start": 2, "end": 5})):
        eq(offered(w, cpus=given), {"cpus": expected}, given)
    got = offered(w, "--resource=mem=sum(1.5)", "--resource", 'fpga = ["x,y", z]', "--resource=gpus/nvidia=range(3-4)")
    eq(got, {"cpus": {"kind": "range", "start": 0, "end": 0}, "fpga": {"kind": "list", "values": ["x,y", "z"]},
             "gpus/nvidia": {"kind": "range", "start": 3, "end": 4}, "mem": {"kind": "sum", "size": 15000}})


@case
def refused(w):
    w.server()
    for args, expected, rc in (
            (["--cpus=sum(4)"], "Resource kind `sum` cannot be used with CPUs. CPUs must have identity", 1),
            (["--cpus=0"], "CPUs", 1), (["--cpus=2", "--resource=cpus=[1]"], "cannot be combined", 1),
            (["--resource=a=[1,1]"], "List items have to be unique", 2), (["--resource=a=5"], "--resource <RESOURCE>", 2),
            (["--resource=a=range(5-3)"], "Start must be greater or equal to end", 2),
            (["--cpus=1", "--resource=a=[1]", "--resource=a=[2]"], "Resource a defined twice", 1),
            (["--detect-resources=none"], "You have to specify --cpus explicitly when opting out of CPU automatic detection", 1),
            (["--cpus=1", "--manager=slurm"], "The process is not running under SLURM", 1),
            (["--cpus=1", "--manager=pbs"], "The process is not running under PBS", 1)):
        has(w.hq("worker", "start", *args, rc=rc).err, expected)
    eq(w.workers(), {})


@case
def detection(w):
    w.server()
    got = offered(w, cpus=None)
    cpus = got["cpus"]
    labels = ([str(i) for i in range(cpus["start"], cpus["end"] + 1)] if cpus["kind"] == "range" else
              cpus["values"] if cpus["kind"] == "list" else sum(cpus["groups"], []))
    eq(sorted(map(int, labels)), sorted(os.sched_getaffinity(0)))
    total_kib = int(re.search(r"MemTotal: +(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])
    assert abs(got["mem"]["size"] / 10000 - total_kib / 1024) < 1, got["mem"]
    assert not any(name.startswith("gpus/amd") for name in got), got


@case
def affinity_limits_the_cpus(w):
    first = min(os.sched_getaffinity(0))
    w.server()
    w.start("worker", "taskset", "-c", first, "hq", "worker", "start", "--detect-resources=cpus")
    w.hq("worker", "wait", "1")
    r = w.json("worker", "list")[0]["configuration"]["resources"]["resources"]
    eq(len(r), 1)
    assert r[0] in ({"kind": "list", "name": "cpus", "values": [str(first)]},
                    {"kind": "range", "name": "cpus", "start": first, "end": first}), r
    w.hq("submit", "--wait", "--stdout=out", "--", "grep", "Cpus_allowed_list:", "/proc/self/status")
    eq(w.read("out").split(), ["Cpus_allowed_list:", str(first)])


@case
def gpus_of_the_environment(w):
    w.server()
    got = offered(w, "--detect-resources=cpus,gpus/nvidia,gpus/amd", cpus=None,
                  env={"CUDA_VISIBLE_DEVICES": "1,GPU-abc", "ROCR_VISIBLE_DEVICES": "7"})
    eq((got["gpus/nvidia"], got["gpus/amd"]), ({"kind": "list", "values": ["1", "GPU-abc"]}, {"kind": "list", "values": ["7"]}))
    w.hq("submit", "--wait", "--stdout=out", "--resource=gpus/nvidia=2", "--", "bash", "-c", "echo $CUDA_VISIBLE_DEVICES")
    eq(sorted(w.read("out").strip().split(",")), ["1", "GPU-abc"])
    p = w.worker("--detect-resources=gpus/nvidia", "--cpus=1", cpus=None, env={"CUDA_VISIBLE_DEVICES": "0,0"})
    has(p.log(), "CUDA_VISIBLE_DEVICES contains duplicates (0,0)")
    eq(offered(w, "--detect-resources=none", "--cpus=1", cpus=None, env={"CUDA_VISIBLE_DEVICES": "0"}).keys(), {"cpus"})


@case
def cuda_runtime(w):
    """With a stand-in for the runtime, as on nodes that have one."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise Skip("no C compiler")
    lib = w.base / "lib"
    lib.mkdir()
    subprocess.run([compiler, "-shared", "-fPIC", "-o", lib / "libcudart.so", ROOT / "tests/unit/helper/stand_in_cudart.c"],
                   check=True, stdout=subprocess.DEVNULL)
    env = {"LD_LIBRARY_PATH": str(lib), "STAND_IN_GPUS": "2"}
    w.server()
    eq(offered(w, "--detect-resources=cpus,gpus/nvidia", cpus=None, env=env)["gpus/nvidia"],
       {"kind": "range", "start": 0, "end": 1})
    w.hq("submit", "--wait", "--array=1-4", "--resource=gpus/nvidia=1", "--stdout=%{TASK_ID}", "--", "bash", "-c",
         "echo $CUDA_VISIBLE_DEVICES")
    assert {w.read(str(i)).strip() for i in range(1, 5)} <= {"0", "1"}
    # the environment names more: it wins
    got = offered(w, "--detect-resources=cpus,gpus/nvidia", cpus=None, env=env | {"CUDA_VISIBLE_DEVICES": "4,5,6"})
    eq(got["gpus/nvidia"], {"kind": "list", "values": ["4", "5", "6"]})
    out = w.hq("worker", "hwdetect", env=env).out
    has(out, "gpus/nvidia: range(0-1)")


@case
def hwdetect(w):
    r = w.hq("worker", "hwdetect", env={"CUDA_VISIBLE_DEVICES": "0,3"})
    assert re.match(r"Summary:\ncpus: \S.*\ngpus/nvidia: 2\nmem: [\d.]+ GiB\n\nFull Description:\ncpus: \S+\n"
                    r"gpus/nvidia: \[0,3\]\nmem: sum\([\d.]+\)\n", r.out), r.out
    got = w.json("worker", "hwdetect")
    eq(got["coupling"], {"weights": []})
    eq([x["name"] for x in got["resources"] if x["name"] != "gpus/nvidia"], ["cpus", "mem"])
    eq(w.hq("--output-mode=quiet", "worker", "hwdetect").out, "")


@case
def no_more_at_once_than_there_is(w):
    w.server()
    w.worker("--resource=gpus/nvidia=[0,1]", "--resource=mem=sum(10)", cpus=4)
    body = "echo start $HQ_JOB_ID ${CUDA_VISIBLE_DEVICES:--} $HQ_CPUS >> log; sleep 0.02; " \
           "echo end $HQ_JOB_ID ${CUDA_VISIBLE_DEVICES:--} $HQ_CPUS >> log"
    quiet = ["--stdout=none", "--stderr=none", "--", "bash", "-c", body]
    w.submit("--array=1-40", "--resource=gpus/nvidia=1", *quiet)
    w.submit("--array=1-40", "--cpus=2", *quiet)
    w.submit("--array=1-40", "--resource=mem=6", *quiet)
    w.hq("job", "wait", "all", seconds=60)
    cpus, gpus, jobs, most = set(), set(), [], 0
    for line in w.read("log").splitlines():
        what, job, gpu, cpu = line.split()
        held = set(cpu.split(","))
        if what == "start":
            assert not held & cpus, f"a cpu for two: {line}"
            assert gpu == "-" or gpu not in gpus, f"a GPU for two: {line}"
            cpus |= held
            gpus |= {gpu} - {"-"}
            jobs.append(job)
            assert jobs.count("3") <= 1, "10 of mem are too few for two times 6"
            most = max(most, len(cpus))
        else:
            cpus -= held
            gpus -= {gpu}
            jobs.remove(job)
    eq(most, 4, "all cpus are used")


@case
def fractions(w):
    w.server()
    w.worker("--resource=gpus/nvidia=[0,1]", cpus=8)
    w.submit("--array=1-8", "--resource=gpus/nvidia=0.25", "--stdout=%{TASK_ID}", "--", "bash", "-c",
             "echo $CUDA_VISIBLE_DEVICES; touch up.$HQ_TASK_ID; until [ -e go ]; do sleep 0.01; done")
    until(lambda: len(list(w.work.glob("up.*"))) == 8, "all eight run together")
    (w.work / "go").touch()
    w.hq("job", "wait", "all")
    used = [w.read(str(i)).strip() for i in range(1, 9)]
    eq(sorted(used), ["0"] * 4 + ["1"] * 4)


@case
def all_of_a_resource(w):
    w.server()
    w.worker(cpus=3)
    w.submit("--array=1-3", "--stdout=none", "--", "bash", "-c", "echo a >> log; sleep 0.2; echo b >> log")
    w.submit("--cpus=all", "--stdout=none", "--", "bash", "-c", "echo $HQ_CPUS | tr , '\\n' | sort | tr '\\n' ' ' >> log")
    w.hq("job", "wait", "all")
    lines = w.read("log").split()
    eq(lines[-3:], ["0", "1", "2"], "it runs alone")


@case
def groups(w):
    w.server()
    w.worker(cpus="2x4")
    def cpus(policy):
        w.hq("submit", "--wait", f"--cpus={policy}", "--stdout=out", "--", "bash", "-c", "echo $HQ_CPUS")
        return sorted(int(c) // 4 for c in w.read("out").strip().split(","))
    assert cpus("4 compact!") in ([0] * 4, [1] * 4)
    eq(cpus("4 scatter"), [0, 0, 1, 1])
    assert cpus("6 tight") in ([0] * 4 + [1] * 2, [0] * 2 + [1] * 4)
    eq(cpus("6 compact"), [0] * 3 + [1] * 3)


@case
def time_request(w):
    w.server()
    w.worker("--time-limit=60s")
    eq(w.json("worker", "list")[0]["configuration"]["time_limit"], 60.0)
    job = w.submit("--time-request=1h", "--", "true")
    w.hq("submit", "--wait", "--", "true")
    w.hq("submit", "--wait", "--time-request=30s", "--", "true")
    eq(w.states(job), ["waiting"])
    w.worker()
    w.hq("job", "wait", job)


@case
def min_utilization(w):
    w.server()
    w.worker("--min-utilization=0.51", cpus=2)
    eq(w.json("worker", "list")[0]["configuration"]["min_utilization"], 0.51)
    job = w.submit("--", "true")
    w.hq("submit", "--wait", "--cpus=2", "--", "true")
    eq(w.states(job), ["waiting"], "one cpu of two is too little")
    w.hq("submit", "--wait", "--", "true")
    w.hq("job", "wait", job)
    eq(w.states(job), ["finished"])


main()
