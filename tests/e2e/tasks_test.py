#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a task sees, where its outputs go, and how its end is told."""
import json, os, re, signal, stat

from harness import HQ, case, eq, has, is_alive, main, status_text, until


def cluster(w, cpus=1, *args, **more):
    w.server()
    w.worker(*args, cpus=cpus, **more)


def run(w, *args, **more):
    """Submits, waits; the job's id."""
    job = w.submit(*args, **more)
    w.hq("job", "wait", job)
    return job


def variables(data):
    return dict(item.split("=", 1) for item in data.decode("utf-8", "surrogateescape").split("\0")[:-1])


def error(w, job, task=0):
    t = w.task(job, task)
    eq(t["state"], "failed")
    return t["error"]


# ---- environment -----------------------------------------------------------------------------------------------------


@case
def environment(w):
    inherited = {"MINE": "of the worker", "OVER": "worker", "HQ_JOB_ID": "wrong", "OMP_NUM_THREADS": "77"}
    cluster(w, 4, "--resource=gpus/nvidia=[a,b]", "--resource=gpus/amd=range(3-4)", "--resource=mem=sum(100)",
            env=inherited)
    run(w, "--array=5", "--cpus=2 tight", "--resource=gpus/nvidia=2", "--resource=gpus/amd=0.5", "--resource=mem=12.5",
        "--env=OVER=task", "--env=NEW", "--env=HQ_TASK_ID=wrong", "--env=A=b=c", "--stdout=out", "--", "env", "-0")
    got = variables((w.work / "out").read_bytes())
    nvidia = got["CUDA_VISIBLE_DEVICES"]
    eq(sorted(nvidia.split(",")), ["a", "b"])
    assert got["ROCR_VISIBLE_DEVICES"] in ("3", "4"), got
    cpus = got["HQ_CPUS"]
    assert len(set(cpus.split(","))) == 2 and set(cpus.split(",")) < set("0123"), cpus
    expected = w.environ(inherited) | {
        "OVER": "task", "NEW": "", "A": "b=c",
        "HQ_JOB_ID": "1", "HQ_TASK_ID": "5", "HQ_INSTANCE_ID": "0", "HQ_SUBMIT_DIR": str(w.work), "HQ": str(HQ),
        "HQ_CPUS": cpus, "HQ_RESOURCE_VALUES_cpus": cpus, "HQ_RESOURCE_REQUEST_cpus": "2 tight", "OMP_NUM_THREADS": "2",
        "HQ_RESOURCE_REQUEST_gpus_nvidia": "2 compact", "HQ_RESOURCE_VALUES_gpus_nvidia": nvidia,
        "CUDA_VISIBLE_DEVICES": nvidia, "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HQ_RESOURCE_REQUEST_gpus_amd": "0.5 compact", "HQ_RESOURCE_VALUES_gpus_amd": got["ROCR_VISIBLE_DEVICES"],
        "ROCR_VISIBLE_DEVICES": got["ROCR_VISIBLE_DEVICES"], "HQ_RESOURCE_REQUEST_mem": "12.5 compact"}
    eq(got, expected)


@case
def environment_of_a_surrounding_mpi_rank_or_step_is_dropped(w):
    foreign = {"OMPI_COMM_WORLD_RANK": "0", "PMIX_RANK": "0", "PMI_RANK": "0", "SLURM_STEP_ID": "0",
               "SLURM_PROCID": "3", "SLURM_LOCALID": "1"}
    kept = {"SLURM_JOB_NAME": "x", "SLURM_CPUS_ON_NODE": "4"}
    cluster(w, 1, "--manager=none", env=foreign | kept)
    run(w, "--stdout=out", "--", "env", "-0")
    got = variables((w.work / "out").read_bytes())
    eq({k for k in foreign if k in got}, set())
    eq({k: got.get(k) for k in kept}, kept)


@case
def omp_variables(w):
    cluster(w, 2)
    show = ["--stdout=%{JOB_ID}.out", "--", "bash", "-c", "echo $HQ_PIN/$OMP_PROC_BIND/$OMP_PLACES/$OMP_NUM_THREADS/$HQ_CPUS"]
    run(w, "--cpus=2", "--pin=omp", *show)
    pin, bind, places, threads, cpus = w.read("1.out").strip().split("/")
    eq((pin, bind, places, threads), ("omp", "close", "{" + cpus + "}", "2"))
    run(w, "--cpus=2", "--pin=omp", "--env=OMP_PLACES=cores", "--env=OMP_PROC_BIND=spread", "--env=OMP_NUM_THREADS=9", *show)
    eq(w.read("2.out").split("/")[:4], ["omp", "spread", "cores", "9"])
    run(w, "--cpus=0.5", *show)
    eq(w.read("3.out").split("/")[:4], ["", "", "", ""])
    run(w, "--cpus=all", "--stdout=4.out", "--", "bash", "-c", "echo $HQ_RESOURCE_REQUEST_cpus/$OMP_NUM_THREADS")
    eq(w.read("4.out"), "all/2\n")


@case
def pinning(w):
    mine = sorted(os.sched_getaffinity(0))
    cluster(w, f"[{','.join(map(str, mine))}]")
    run(w, "--pin=taskset", "--stdout=out", "--", "bash", "-c", "echo $HQ_PIN $HQ_CPUS; grep Cpus_allowed_list: /proc/$$/status")
    eq(w.read("out").split()[0], "taskset")
    eq(w.read("out").split()[1], w.read("out").split()[-1])
    run(w, "--stdout=out2", "--", "grep", "Cpus_allowed_list:", "/proc/self/status")
    allowed = w.read("out2").split()[1]
    eq(allowed, status_text("self", "Cpus_allowed_list"), "a task that is not pinned")


@case
def limits_and_descriptors_are_those_of_the_worker(w):
    w.server()
    w.start("worker", "bash", "-c", "ulimit -Sn 300; ulimit -c 0; umask 027; trap '' USR1; "
            "exec hq worker start --cpus=1 --detect-resources=none")
    run(w, "--stdout=out", "--", "bash", "-c", "ulimit -Sn; umask; ls /proc/self/fd | tr '\\n' ' '; grep Sig /proc/self/status")
    lines = w.read("out").splitlines()
    eq(lines[0], "300", "soft limit of descriptors")
    eq(lines[1], "0027")
    assert lines[2].startswith("0 1 2 3 Sig"), lines[2]  # 3 is the directory that ls reads
    masks = {l.split(":")[0].split()[-1]: int(l.split(":")[1], 16) for l in lines[2:] if l.count(":") == 1 and "SigQ" not in l}
    eq((masks["SigBlk"], masks["SigIgn"] & (1 << signal.SIGPIPE - 1)), (0, 0))


@case
def a_task_has_a_session_of_its_own(w):
    cluster(w)
    run(w, "--stdout=out", "--", "bash", "-c", "echo $$ $(ps -o sid=,pgid=,tty= -p $$)")
    pid, sid, pgid, tty = w.read("out").split()
    eq((sid, pgid, tty), (pid, pid, "?"))


# ---- directories and files --------------------------------------------------------------------------------------------


@case
def cwd_is_made(w):
    cluster(w)
    run(w, "--cwd=a/b/%{JOB_ID}-%{TASK_ID}-%{INSTANCE_ID}", "--array=3-4", "--", "pwd")
    for i in (3, 4):
        eq(w.read(f"a/b/1-{i}-0/job-1/{i}.stdout"), f"{w.work}/a/b/1-{i}-0\n")
    run(w, f"--cwd={w.base}/abs", "--stdout=%{SUBMIT_DIR}/x-%{SERVER_UID}", "--stderr=%{CWD}/y", "--", "pwd")
    uid = w.json("server", "info")["server_uid"]
    eq(w.read(f"x-{uid}"), f"{w.base}/abs\n")
    assert (w.base / "abs/y").exists()


@case
def outputs(w):
    cluster(w)
    run(w, "--stdout=deep/%{TASK_ID}/out", "--stderr=none", "--", "bash", "-c", "echo out; echo err >&2")
    eq(w.read("deep/0/out"), "out\n")
    assert not (w.work / "job-1").exists()
    run(w, "--", "bash", "-c", "umask; echo err >&2")
    eq((w.read("job-2/0.stdout"), w.read("job-2/0.stderr")), ("0022\n", "err\n"))
    eq(stat.S_IMODE((w.work / "job-2/0.stdout").stat().st_mode), 0o644)
    run(w, "--stdout=none", "--stderr=none", "--", "bash", "-c", "readlink /proc/$$/fd/1 /proc/$$/fd/2 > null; true")
    eq(w.read("null"), "/dev/null\n" * 2)
    (w.work / "trunc").write_text("longer than the output\n")
    run(w, "--stdout=trunc", "--", "echo", "short")
    eq(w.read("trunc"), "short\n")
    run(w, "--stdout=%{UNKNOWN}-%{TASK_ID}", "--", "echo", "x")
    eq(w.read("%{UNKNOWN}-0"), "x\n")


@case
def large_output(w):
    cluster(w)
    run(w, "--stdout=big", "--", "head", "-c", "50000000", "/dev/zero")
    eq((w.work / "big").stat().st_size, 50_000_000)


@case
def rm_if_finished(w):
    cluster(w)
    for code, kept in ((0, []), (1, ["e", "o"])):
        d = w.work / f"d{code}"
        run(w, f"--cwd={d}", "--stdout=o:rm-if-finished", "--stderr=e:rm-if-finished", "--", "bash", "-c",
            f"echo x; echo y >&2; exit {code}")
        eq(sorted(os.listdir(d)), kept)
    job = run(w, "--stdout=:rm-if-finished", "--", "echo", "x")
    eq(os.listdir(w.work / f"job-{job}"), ["0.stderr"])


@case
def task_dir(w):
    cluster(w, 1, f"--work-dir={w.base}/wd")
    run(w, "--task-dir", "--stdout=out", "--", "bash", "-c",
        'echo $HQ_TASK_DIR $HQ_ERROR_FILENAME; stat -c %a $HQ_TASK_DIR; touch $HQ_TASK_DIR/file; mkdir $HQ_TASK_DIR/sub')
    first, mode = w.read("out").splitlines()
    d, f = first.split()
    eq((f, mode, os.path.dirname(d)), (f"{d}/hq-error", "700", f"{w.base}/wd"))
    assert not os.path.exists(d), "the task's directory is left"
    for text, expected in (("my words", "my words"), ("", "Task created an error file, but it is empty"),
                           ("x" * 3000, "x" * 2048 + "\n[The message was truncated]"), ("two\nlines\n", "two\nlines\n")):
        job = run(w, "--task-dir", f"--env=TEXT={text}", "--", "bash", "-c", 'printf %s "$TEXT" > $HQ_ERROR_FILENAME; exit 1')
        eq(error(w, job), expected)
    job = run(w, "--task-dir", "--", "bash", "-c", "echo fine > $HQ_ERROR_FILENAME")
    eq(w.states(job), ["finished"])
    eq(os.listdir(w.base / "wd"), [])


# ---- ends -------------------------------------------------------------------------------------------------------------


@case
def exit_codes_and_signals(w):
    cluster(w)
    for command, expected in (
            ("exit 3", "Program terminated with exit code 3."), ("exit 255", "Program terminated with exit code 255."),
            ("kill -9 $$", "Program terminated with exit code -1. Received signal 9 (SIGKILL)."),
            ("kill -SEGV $$", "Program terminated with exit code -1. Received signal 11 (SIGSEGV)."),
            ("kill -XCPU $$", "Program terminated with exit code -1. Received signal 24 (unknown).")):
        eq(error(w, run(w, "--", "bash", "-c", command)), expected, command)


@case
def programs_that_cannot_be_started(w):
    cluster(w)
    for name in ("plain", "script.sh"):
        w.script(name, "#!/bin/bash\n").chmod(0o644)
    missing = 'Cannot execute "{0}": No such file or directory (os error 2)\n' \
              "The program that you have tried to execute (`{0}`) was not found."
    eq(error(w, run(w, "--", "nonexistent")), missing.format("nonexistent"))
    eq(error(w, run(w, "--", "./gone")), missing.format("./gone"))
    eq(error(w, run(w, "--", "plain")),
       missing.format("plain") + f"\nThe file `{w.work}/plain` exists, maybe you have meant `./plain` instead?")
    eq(error(w, run(w, "--", "./plain", "a b")), 'Cannot execute "./plain a b": Permission denied (os error 13)')
    eq(error(w, run(w, "--directives=off", "--", "./script.sh")),
       'Cannot execute "./script.sh": Permission denied (os error 13)\n'
       "The script that you have tried to execute (`./script.sh`) is not executable.\n"
       "Try making it executable or add a shebang line to it.")
    eq(error(w, run(w, "--", "/")), 'Cannot execute "/": Permission denied (os error 13)')
    w.script("no-shebang", "echo ran by $0\n")
    run(w, "--stdout=out", "--", "./no-shebang")
    has(w.read("out"), "ran by ")


@case
def scripts_are_given_to_their_interpreter(w):
    cluster(w)
    w.script("s.sh", "#!/bin/bash -e\necho $HQ_TASK_ID $1 $-\nfalse\necho not reached\n").chmod(0o644)
    job = run(w, "--stdout=out", "--", "./s.sh", "arg")
    has(w.read("out"), "0 arg ", "e")
    eq(error(w, job), "Program terminated with exit code 1.")


@case
def program_is_found_on_the_tasks_path(w):
    cluster(w)
    (w.work / "bin").mkdir()
    w.script("bin/special", "#!/bin/sh\necho found\n")
    run(w, "--env=PATH=/nowhere:%s/bin:/bin:/usr/bin" % w.work, "--stdout=out", "--", "special")
    eq(w.read("out"), "found\n")


@case
def time_limit(w):
    cluster(w, 2)
    w.script("t.sh", "#!/bin/bash\ntrap 'echo interrupted; exit 0' INT\necho $$ > pid\nwhile :; do sleep 0.05; done\n")
    job = run(w, "--time-limit=300ms", "--stdout=out", "--", "./t.sh")
    eq(error(w, job), "Time limit reached")
    eq(w.read("out"), "interrupted\n")
    w.script("u.sh", "#!/bin/bash\ntrap '' INT\necho $$ > stubborn\nwhile :; do sleep 1; done\n")
    job = run(w, "--time-limit=300ms", "--", "./u.sh")
    eq(error(w, job), "Time limit reached")
    pid = int(w.read("stubborn"))
    until(lambda: not is_alive(pid), "the stubborn task is gone", 3)
    job = run(w, "--time-limit=30s", "--", "true")
    eq(w.states(job), ["finished"])
    for none in ("0", "500us"):  # is a limit as well
        eq(error(w, run(w, f"--time-limit={none}", "--", "sleep", "10")), "Time limit reached")


@case
def stdin(w):
    cluster(w)
    data = bytes(range(256)) * 4000
    r = w.hq("submit", "--stdin", "--wait", "--array=1-2", "--stdout=%{TASK_ID}.out", "--", "cat", data=data)
    has(r.out, "Reading data from stdin. In the interactive mode press Ctrl-D to submit.")
    for i in (1, 2):
        assert (w.work / f"{i}.out").read_bytes() == data, "the data has changed"
    w.hq("submit", "--stdin", "--wait", "--", "true", data=data)  # does not read it
    run(w, "--stdout=none.out", "--", "bash", "-c", "readlink /proc/self/fd/0; cat")
    eq(w.read("none.out"), "/dev/null\n")


# ---- arrays -------------------------------------------------------------------------------------------------------------


@case
def each_line(w):
    cluster(w)
    lines = [b"one", b"", b" spaces  ", b"binary \xff\xfe\x01", b"carriage\r", b"$(touch nothing) 'quotes\"", b"last"]
    (w.work / "lines").write_bytes(b"\n".join(lines))
    job = run(w, "--each-line=lines", "--stdout=%{TASK_ID}.out", "--", "bash", "-c", 'printf %s "$HQ_ENTRY"')
    eq([t["id"] for t in w.tasks(job)], list(range(7)))
    for i, line in enumerate(lines):
        eq((w.work / f"{i}.out").read_bytes(), line)
    (w.work / "lines").write_bytes(b"a\0b\nc\n")
    job = run(w, "--each-line=lines", "--stdout=y%{TASK_ID}", "--", "bash", "-c", "echo $HQ_ENTRY")
    eq((w.states(job), w.read("y1")), (["failed", "finished"], "c\n"))
    has(error(w, job), "its entry has a NUL byte")
    (w.work / "lines").write_bytes(b"a\nb\nc\n")
    job = run(w, "--each-line=lines", "--array=1,2,9", "--stdout=x%{TASK_ID}", "--", "bash", "-c", "echo $HQ_ENTRY")
    eq(([t["id"] for t in w.tasks(job)], w.read("x1"), w.read("x2")), ([1, 2], "b\n", "c\n"))


@case
def from_json(w):
    cluster(w)
    values = [1, {"b": [1, 2.5], "a": None}, "text\n", True, -1.5e300, "\u00e9\u4e16"]
    (w.work / "e.json").write_text(json.dumps(values))
    job = run(w, "--from-json=e.json", "--stdout=%{TASK_ID}.out", "--", "bash", "-c", 'printf %s "$HQ_ENTRY"')
    eq(w.states(job), ["finished"] * len(values))
    for i, value in enumerate(values):
        eq(json.loads(w.read(f"{i}.out")), value)
    eq(w.read("1.out"), '{"a":null,"b":[1,2.5]}')


@case
def many_entries(w):
    cluster(w, 2)
    (w.work / "lines").write_text("".join(f"entry {i} {'x' * 2000}\n" for i in range(1000)))  # 2 MB: several parts
    job = run(w, "--each-line=lines", "--stdout=o/%{TASK_ID}", "--stderr=none", "--", "printenv", "HQ_ENTRY")
    eq(w.stats(job)["finished"], 1000)
    for i in (0, 1, 500, 999):
        eq(w.read(f"o/{i}"), f"entry {i} {'x' * 2000}\n")


@case
def entries_of_more_than_a_message(w):
    w.server()
    worker = w.worker(cpus=64)
    (w.work / "lines").write_text(("x" * 250000 + "\n") * 100)  # longer than a variable can be
    job = run(w, "--each-line=lines", "--stdout=none", "--stderr=none", "--", "true")
    eq(w.states(job), ["failed"] * 100)
    has(error(w, job, 99), "Argument list too long")
    (w.work / "lines").write_text(("x" * 120000 + "\n") * 200)
    job = run(w, "--each-line=lines", "--stdout=none", "--stderr=none", "--", "true")
    eq((w.states(job), worker.alive()), (["finished"] * 200, True))


@case
def stepped_and_scattered_arrays(w):
    cluster(w, 2)
    job = run(w, "--array=0-10:5,100,4294967295", "--stdout=o/%{TASK_ID}", "--", "bash", "-c", "echo $HQ_TASK_ID")
    eq(sorted(map(int, os.listdir(w.work / "o"))), [0, 5, 10, 100, 4294967295])
    eq([t["id"] for t in w.tasks(job)], [0, 5, 10, 100, 4294967295])


@case
def tasks_come_in_the_order_of_their_ids(w):
    cluster(w, 2)
    fail = ["--", "bash", "-c", "echo $HQ_TASK_ID; exit 1"]
    job = w.json("job", "open")["id"]
    w.submit(f"--job={job}", "--array=10-12,1-9:4", *fail)
    w.submit(f"--job={job}", "--array=3,4,2,20", *fail)
    w.hq("job", "wait", job, "--without-close")
    ids = [1, 2, 3, 4, 5, 9, 10, 11, 12, 20]
    eq([t["id"] for t in w.tasks(job)], ids)
    eq([t["id"] for t in w.json("job", "info", job)[0]["tasks"]], ids)
    eq([t["id"] for t in w.json("task", "info", job, "1-9:4,3,2")], [1, 2, 3, 5, 9])
    eq(w.json("job", "task-ids", job), {str(job): ids})
    eq(w.hq("job", "task-ids", job, "--filter=failed").out, "1-5,9-12,20\n")
    eq(w.hq("job", "cat", job, "stdout", "--tasks=1-9:4,3").out, "1\n3\n5\n9\n")
    eq(re.findall(r"^\| (\d+) +\|", w.hq("job", "info", job).out, re.M), ["1", "2", "3", "4", "5"])


@case
def priority_and_order(w):
    w.server()
    order = ["--stdout=none", "--stderr=none", "--", "bash", "-c", "echo $HQ_JOB_ID.$HQ_TASK_ID >> order"]
    for priority in (0, 7, -3, 7):
        w.submit("--array=1-5", f"--priority={priority}", *order)
    w.worker(cpus=1)
    w.hq("job", "wait", "all")
    eq(w.read("order").split(), [f"{j}.{i}" for j in (2, 4, 1, 3) for i in range(1, 6)])


@case
def a_higher_priority_passes_what_was_prefilled(w):
    cluster(w)
    low = w.submit("--array=1-50", "--stdout=none", "--", "bash", "-c", "echo low >> order; sleep 0.05")
    until(lambda: w.stats(low)["finished"] >= 2, "some have run")
    high = w.submit("--priority=5", "--stdout=none", "--", "bash", "-c", "echo high >> order")
    w.hq("job", "wait", high)
    at = w.read("order").split().index("high")
    assert at < 40, f"after {at} others"


@case
def long_arguments(w):
    cluster(w)
    args = ["x" * 5000, "", "a\nb", "\u00e9"] + [str(i) for i in range(1000)]
    run(w, "--stdout=out", "--", "printf", "%s\\0", *args)
    eq(w.read("out").split("\0")[:-1], args)


main()
