#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hq run: server, worker and client in one process, and nothing left behind."""
import os, re, shutil, signal, subprocess, time

from harness import HQ, Skip, case, eq, has, is_alive, main, until

RUN = ["run", "--worker-cpus=2", "--detect-resources=none"]


def check_clean(w, *files):
    eq(sorted(p.name for p in w.work.iterdir()), sorted(files), "files in the working directory")
    eq(sorted(p.name for p in w.home.iterdir()), [], "files in the home directory")
    eq(sorted(p.name for p in w.tmp.iterdir()), [], "files in TMPDIR")
    assert not w.server_dir.exists(), "hq run has touched the server directory"
    w.check_nothing_left()


@case
def succeeds(w):
    w.script("task.sh", "#!/bin/bash\necho out $HQ_TASK_ID\necho err >&2\n")
    r = w.hq(*RUN, "--array", "1-50", "./task.sh")
    has(r.out, "50 tasks: 50 FINISHED")
    assert "\r" not in r.out and "\x1b" not in r.out, f"no bar and no colours into a pipe: {r.out!r}"
    eq(r.err, "")
    for i in range(1, 51):
        eq((w.read(f"job-1/{i}.stdout"), w.read(f"job-1/{i}.stderr")), (f"out {i}\n", "err\n"))
    check_clean(w, "job-1", "task.sh")


@case
def detects_what_it_has(w):
    eq(w.hq("run", "--stdout=out", "--", "bash", "-c", "echo $HQ_RESOURCE_REQUEST_cpus").rc, 0)
    eq(w.read("out"), "1 compact\n")


@case
def fails_with_its_tasks(w):
    r = w.hq(*RUN, "--array=1-9", "--stdout=none", "--stderr=none", "--", "bash", "-c", "exit $((HQ_TASK_ID % 3))", rc=1)
    has(r.out, "9 tasks: 3 FINISHED, 6 FAILED", "Program terminated with exit code 1.",
        "Program terminated with exit code 2.", "6 tasks failed. (5 shown)")
    r = w.hq(*RUN, "--stdout=none", "--stderr=none", "--", "./missing", rc=1)
    has(r.out, 'Cannot execute "./missing": No such file or directory (os error 2)')
    check_clean(w)


@case
def gives_up_after_max_fails(w):
    r = w.hq(*RUN, "--array=1-100", "--max-fails=0", "--stdout=none", "--stderr=none", "false", rc=1)
    assert re.search(r"100 tasks: 1 FAILED, 99 ABORTED", r.out), r.out


@case
def modes(w):
    job = w.hq("--output-mode=json", *RUN, "--array=1-3", "--stdout=none", "--stderr=none", "true").json()
    eq((job["id"], job["name"], job["task_count"], job["task_stats"]["finished"]), (1, "true", 3, 3))
    assert 0 < job["makespan"] < 20, job
    eq(w.hq("--output-mode=quiet", *RUN, "true").out, "")
    r = w.hq("--output-mode=json", *RUN, "--resource=a=1", "--resource=a=1", "true", rc=1)
    eq((r.json(), r.err), ({"error": "Resource 'a' defined more than once"}, ""))


@case
def argument_errors(w):
    has(w.hq("run", "--array=3-1", "true", rc=2).err, "invalid value '3-1' for '--array <ARRAY>'", "Invalid range")
    w.hq("run", rc=2)
    has(w.hq("run", "--worker-cpus=x", "true", rc=2).err, "--worker-cpus <WORKER_CPUS>")
    has(w.hq("run", "--each-line=gone", "true", rc=1).err, "No such file or directory (os error 2)")
    check_clean(w)


def interrupt(w, signum, code, *more):
    w.script("t.sh", "#!/bin/bash\necho $$ > pid.$HQ_TASK_ID\nsleep 600 &\necho $! > child.$HQ_TASK_ID\nwait\n")
    p = w.start("run", HQ, *RUN, "--array=1-5", "--stdout=none", "--stderr=none", *more, "./t.sh")
    pids = [w.await_pid(f"{what}.{i}") for what in ("pid", "child") for i in (1, 2)]
    start = time.monotonic()
    p.send(signum)
    eq(p.wait(8), code)
    seconds = time.monotonic() - start
    assert not any(map(is_alive, pids)), "tasks are left when hq run has returned"
    assert seconds < 4, f"it took {seconds:.1f} s"
    check_clean(w, "t.sh", *[f"{what}.{i}" for what in ("pid", "child") for i in (1, 2)])
    return p.log()


@case
def sigint_cancels(w):
    has(interrupt(w, signal.SIGINT, 130), "5 tasks: 5 CANCELED")


@case
def sigterm_cancels(w):
    has(interrupt(w, signal.SIGTERM, 143), "5 CANCELED")


@case
def two_signals_leave_at_once(w):
    w.script("t.sh", "#!/bin/bash\ntrap '' INT\necho $$ > pid\nwhile :; do sleep 1; done\n")
    p = w.start("run", HQ, *RUN, "./t.sh")
    pid = w.await_pid("pid")
    p.send(signal.SIGINT)
    time.sleep(0.05)  # or the two may be one
    p.send(signal.SIGINT)
    eq(p.wait(8), 130)
    until(lambda: not is_alive(pid), "the task is gone", 3)


@case
def kill_leaves_no_task(w):
    w.script("t.sh", "#!/bin/bash\nsetsid sleep 600 &\necho $! > child\necho $$ > pid\nwait\n")
    p = w.start("run", HQ, *RUN, "./t.sh")
    pids = [w.await_pid("pid"), w.await_pid("child")]
    os.killpg(p.pid, signal.SIGKILL)
    until(lambda: not any(map(is_alive, pids)), "the tasks are gone", 3)
    w.check_nothing_left(3)


@case
def progress_on_a_terminal(w):
    code, out = w.on_terminal(*RUN, "--array=1-20", "--stdout=none", "--stderr=none", "sleep", "0.02")
    eq(code, 0, out)
    assert out.count("\r\x1b[2K[") >= 2, repr(out)
    has(out, "0/1 jobs, ", "/20 tasks ")
    assert re.search("\r\x1b\\[2K20 tasks: .*20 FINISHED", out), repr(out)  # in the place of the bar
    check_clean(w)


@case
def control_c_on_a_terminal(w):
    w.script("t.sh", "#!/bin/bash\necho $$ > pid\nsleep 600\n")
    code, out = w.on_terminal(*RUN, "--stdout=none", "--stderr=none", "./t.sh",
                              interrupt_at=lambda: (w.work / "pid").exists() and w.read("pid"))
    eq(code, 130, out)
    assert not is_alive(int(w.read("pid")))
    check_clean(w, "t.sh", "pid")


@case
def a_running_server_is_not_disturbed(w):
    w.server()
    w.hq(*RUN, "--stdout=none", "--stderr=none", "true")
    eq((w.json("job", "list", "--all"), w.workers()), ([], {}))


@case
def as_an_ordinary_user(w):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv to become somebody else")
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*user, HQ, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        raise Skip(f"{HQ} cannot be run by other users")
    for d in (w.base, w.home, w.work, w.tmp):
        os.chown(d, 65534, 65534)
    p = w.start("run", *user, HQ, *RUN, "--array=1-20", "--stdout=%{TASK_ID}", "--", "id", "-u")
    eq(p.wait(), 0)
    eq({w.read(str(i)) for i in range(1, 21)}, {"65534\n"})
    w.script("t.sh", "#!/bin/bash\nsetsid sleep 600 &\necho $! > child\necho $$ > pid\nwait\n")
    p = w.start("run", *user, HQ, *RUN, "--stdout=none", "--stderr=none", "./t.sh")
    pids = [w.await_pid("pid"), w.await_pid("child")]
    p.kill()
    until(lambda: not any(map(is_alive, pids)), "the tasks are gone", 3)


@case
def resources_of_the_worker(w):
    w.hq("run", "--worker-cpus=4", "--worker-resource=gpus/nvidia=[3,5]", "--worker-resource=mem=sum(10)",
         "--detect-resources=none", "--array=1-8", "--resource=gpus/nvidia=1", "--resource=mem=2",
         "--stdout=%{TASK_ID}.gpu", "--stderr=none", "--", "bash", "-c", "echo $CUDA_VISIBLE_DEVICES; sleep 0.02")
    eq({w.read(f"{i}.gpu") for i in range(1, 9)}, {"3\n", "5\n"})


@case
def several_at_once(w):
    runs = []
    for i in range(4):
        (w.work / str(i)).mkdir()
        runs.append(w.start("run", HQ, *RUN, "--array=1-20", "true", cwd=w.work / str(i)))
    for i, p in enumerate(runs):
        eq(p.wait(), 0)
        eq(len(list((w.work / str(i) / "job-1").iterdir())), 40)


@case
def entries_and_stdin(w):
    (w.work / "lines").write_text("a\nb\n")
    w.hq(*RUN, "--each-line=lines", "--stdout=%{TASK_ID}", "--stdin", "--", "bash", "-c", "echo $HQ_ENTRY; cat", data=b"in\n")
    eq((w.read("0"), w.read("1")), ("a\nin\n", "b\nin\n"))


main()
