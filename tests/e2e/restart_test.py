# SPDX-License-Identifier: MIT
"""restart_test.py - servers that are killed, and start again from their journal.

More than a test run has time for: HQ_TEST_KILLS=100 HQ_TEST_TASKS=20000 HQ_TEST_TASK_S=0.03 HQ_TEST_PAUSE=0.5 restart_test.py HQ killed_again_and_again
"""
import os, random, signal, subprocess, time

from harness import HQ, Skip, case, eq, free_port, has, is_alive, main, until

KILLS = int(os.environ.get("HQ_TEST_KILLS", "8"))
TASKS = int(os.environ.get("HQ_TEST_TASKS", "2000"))
SEED = int(os.environ.get("HQ_TEST_SEED", "1"))
TASK_S = float(os.environ.get("HQ_TEST_TASK_S", "0.02"))
PAUSE_S = float(os.environ.get("HQ_TEST_PAUSE", "0.5"))  # between kills, at most


def server(w, *args):
    return w.server("--journal=journal.bin", *args)


def restart(w, old, *args):
    old.kill()
    return server(w, *args)


def told(w, job):
    """All that is said of a job, but for what grows."""
    info = w.json("job", "info", job)
    return info, w.tasks(job)


@case
def all_that_was_told_is_still_true(w):
    s = server(w)
    w.worker(cpus=4)
    done = w.submit("--array=1-5", "--name=done", "--", "bash", "-c", "exit $((HQ_TASK_ID == 3 ? 7 : 0))")
    w.hq("job", "wait", done)
    broken = w.submit("--", "./no-such-program")
    w.hq("job", "wait", broken)
    cancelled = w.submit("--array=1-3", "--cpus=100", "--", "true")
    w.hq("job", "cancel", cancelled, "--reason=because of the weather")
    opened = int(w.hq("--output-mode=quiet", "job", "open", "--name=open").out)
    w.hq("submit", f"--job={opened}", "--", "true")
    w.hq("job", "wait", opened, "--without-close")
    waiting = w.submit("--array=1-2", "--cpus=100", "--", "true")
    jobs = (done, broken, cancelled, opened, waiting)
    before = [told(w, job) for job in jobs]
    uid = w.json("server", "info")["server_uid"]
    s = restart(w, s)
    has(s.log(), "Loading journal ...", "State restoration completed")
    eq([told(w, job) for job in jobs], before)
    eq(w.json("server", "info")["server_uid"], uid)
    eq(w.json("server", "info")["journal_path"], "journal.bin")
    eq(w.submit("--", "true"), waiting + 1)
    w.hq("submit", f"--job={opened}", "--", "true")
    w.hq("job", "wait", opened, "--without-close")
    eq(w.states(opened), ["finished"] * 2)
    has(w.hq("job", "info", cancelled).out, "because of the weather")


@case
def running_tasks_go_on(w):
    s = server(w)
    worker = w.worker(cpus=2)
    job = w.submit("--array=1-3", "--", "bash", "-c",
                   "echo $$ >> pid.$HQ_TASK_ID; until [ -e go ]; do sleep 0.02; done; echo end")
    pids = [w.await_pid(f"pid.{i}") for i in (1, 2)]
    s = restart(w, s)
    worker.await_log("The server is back; this is worker 1")
    until(lambda: w.stats(job)["running"] == 2, "both tasks are said to run")
    assert all(is_alive(pid) for pid in pids)
    (w.work / "go").touch()
    w.hq("job", "wait", job)
    eq([w.read(f"job-{job}/{i}.stdout") for i in (1, 2, 3)], ["end\n"] * 3)
    eq([w.read(f"pid.{i}") for i in (1, 2)], [f"{pid}\n" for pid in pids], "pids of the first two")
    eq(w.workers(), {1: "RUNNING"})


@case
def what_ended_meanwhile_counts(w):
    s = server(w)
    worker = w.worker(cpus=1)
    job = w.submit("--array=1-3", "--", "bash", "-c", "echo start >> log.$HQ_TASK_ID; until [ -e go ]; do sleep 0.02; done")
    until((w.work / "log.1").exists, "the first task runs")
    s.kill()
    worker.await_log("The server is lost")
    (w.work / "go").touch()
    until((w.work / "log.2").exists, "the next task starts without a server")
    server(w)
    w.hq("job", "wait", job)
    eq([w.read(f"log.{i}") for i in (1, 2, 3)], ["start\n"] * 3)


@case
def workers_find_a_server_that_has_moved(w):
    s = server(w)
    worker = w.worker()
    old = w.json("server", "info")
    s.kill()
    port = free_port()
    s = w.server("--journal=journal.bin", f"--worker-port={port}")
    worker.await_log("The server is back")
    eq(w.json("server", "info")["worker_port"], port)
    eq(w.json("server", "info")["client_port"], old["client_port"], "the old port is tried first")
    w.hq("submit", "--wait", "--", "true")


@case
def clients_wait_through_it(w):
    s = server(w)
    w.worker(cpus=2)
    body = ["--", "bash", "-c", "until [ -e go ]; do sleep 0.02; done"]
    job = w.submit(*body)
    waits = [w.start("client", HQ, "job", "wait", job), w.start("client", HQ, "submit", "--wait", *body),
             w.start("client", HQ, "job", "progress", job)]
    until(lambda: w.counters()["waiting_commands"] == 3, "all of them wait")
    s.kill()
    for p in waits:
        p.await_log("The connection to the server is lost; waiting for it to come back")
    server(w)
    (w.work / "go").touch()
    eq([p.wait() for p in waits], [0, 0, 0])
    eq(len(w.json("job", "list", "--all")), 2, "jobs: nothing was submitted twice")


@case
def a_worker_that_does_not_come_back(w):
    """Its tasks wait for it a while, and it is no crash of theirs."""
    s = server(w)
    worker = w.worker(cpus=1)
    job = w.submit("--crash-limit=1", "--", "bash", "-c", "echo start >> log; until [ -e go ]; do sleep 0.02; done")
    until((w.work / "log").exists, "the task runs")
    s.kill()
    worker.kill()
    (w.work / "go").touch()
    server(w)
    w.worker(cpus=1)
    time.sleep(2)
    eq(w.read("log"), "start\n")
    until(lambda: w.read("log") == "start\nstart\n", "it runs again", 60)
    w.hq("job", "wait", job)


@case
def an_orderly_stop_keeps_what_is_not_done(w):
    s = server(w)
    worker = w.worker(cpus=1)
    job = w.submit("--array=1-3", "--crash-limit=1", "--", "bash", "-c",
                   "echo $HQ_TASK_ID >> log; [ $HQ_TASK_ID = 1 ] || until [ -e go ]; do sleep 0.02; done")
    until(lambda: (w.work / "log").exists() and w.read("log") == "1\n2\n", "the second task runs")
    until(lambda: w.stats(job)["finished"] == 1, "the first one is known to have finished")
    s.send(signal.SIGTERM)
    eq((s.wait(), worker.wait()), (0, 0))
    server(w)
    eq(w.stats(job)["finished"], 1)
    (w.work / "go").touch()
    w.worker(cpus=1)
    w.hq("job", "wait", job)
    eq(w.read("log").split(), ["1", "2", "2", "3"])


@case
def a_working_directory_that_is_gone(w):
    """One that does not exist is made, as for any task; where that cannot be, only the job fails."""
    s = server(w)
    (w.work / "sub").mkdir()
    job = w.submit("--stdout=none", "--stderr=none", "--", "true", cwd=w.work / "sub")
    s.kill()
    (w.work / "sub").rmdir()
    (w.work / "sub").write_text("a file\n")
    server(w)
    w.worker()
    w.hq("job", "wait", job)
    eq(w.states(job), ["failed"])
    has(w.task(job)["error"], "Could not create working directory")
    w.hq("submit", "--wait", "--", "true")


# ---- refusals


def refused(w, *args, text, **more):
    result = w.hq("server", "start", *args, rc=1, **more)
    has(result.err + result.out, text)


@case
def journals_that_cannot_be_used(w):
    (w.work / "foreign").write_text("hello world this is not a journal\n")
    (w.work / "dir").mkdir()
    refused(w, "--journal=foreign", text="foreign")
    eq(w.read("foreign"), "hello world this is not a journal\n")
    refused(w, "--journal=dir", text="directory")
    refused(w, "--journal=no/such/dir/j", text="No such file or directory (os error 2)")


@case
def one_journal_for_two_servers(w):
    s = server(w)
    refused(w, "--journal=journal.bin", "--server-dir=other", text=f"{s.pid}")
    w.worker()
    w.hq("submit", "--wait", "--", "true")


@case
def a_worker_of_another_server(w):
    s = server(w)
    worker = w.worker()
    s.kill()
    (w.work / "journal.bin").unlink()
    server(w)
    eq(worker.wait(), 1)
    has(worker.log(), "was replaced by server")


@case
def a_torn_tail_is_cut_off(w):
    s = server(w)
    w.submit("--cpus=100", "--", "true")
    s.kill()
    with open(w.work / "journal.bin", "ab") as f:
        f.write(b"\x13" * 17)
    s = server(w)
    has(s.log(), "Journal contains not fully written data; they will be removed from the log")
    s = restart(w, s)
    assert "not fully written" not in s.log()
    eq(w.stats(1)["waiting"], 1)


@case
def flushed_and_pruned(w):
    s = w.server("--journal=journal.bin", "--journal-flush-period=1h")
    worker = w.worker()
    first = w.submit("--wait", "--", "true")
    second = w.submit("--cpus=100", "--", "true")
    w.hq("journal", "flush")
    exported = w.hq("journal", "export", "journal.bin").out
    has(exported, '"type":"job-completed"')
    w.hq("journal", "prune")
    pruned = w.hq("journal", "export", "journal.bin").out
    assert '"type":"job-completed"' not in pruned, pruned
    s = restart(w, s)
    worker.await_log("The server is back")
    eq([j["id"] for j in w.json("job", "list", "--all")], [second])
    eq(w.submit("--", "true"), second + 1)
    w.stop(s)
    s = w.server()
    w.hq("journal", "flush")
    w.hq("journal", "prune")


# ---- kills


@case
def killed_again_and_again(w):
    """No task of living workers runs twice, none is lost, and no finished one is forgotten."""
    chance = random.Random(SEED)
    print(f"{KILLS} kills of {TASKS} tasks, seed {SEED}")
    (w.work / "log").mkdir()
    w.script("task.sh", f"#!/bin/bash\necho start $HQ_INSTANCE_ID >> log/$HQ_TASK_ID\nsleep {TASK_S}\necho end >> log/$HQ_TASK_ID\n")
    s = server(w)
    workers = [w.worker(cpus=2), w.worker(cpus=2)]
    job = w.submit(f"--array=1-{TASKS}", "--stdout=none", "--stderr=none", "--", "./task.sh")
    waits = w.start("client", HQ, "job", "wait", job)
    finished = kills = 0
    while kills < KILLS and waits.alive():
        time.sleep(chance.uniform(0.0, PAUSE_S))
        if chance.random() < 0.5:
            now = w.stats(job)["finished"]
            assert now >= finished, f"{finished} tasks were said to have finished, then {now}"
            finished = now
        s = restart(w, s)
        kills += 1
    print(f"killed {kills} times; {finished} tasks had finished by then")
    assert kills > KILLS // 2, "the tasks were over too soon"
    eq(waits.wait(600), 0)
    eq(w.stats(job)["finished"], TASKS)
    wrong = {i: text for i in range(1, TASKS + 1) if (text := w.read(f"log/{i}")) != "start 0\nend\n"}
    eq(wrong, {}, "tasks that did not run exactly once")
    assert all(p.alive() for p in workers)
    w.stop(s)


# ---- no room


def fill(path):
    """Until there is no room for another byte."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    for size in (4096, 1):
        try:
            while os.write(fd, b"x" * size):
                pass
        except OSError:
            pass
    os.close(fd)


@case
def a_full_disk(w):
    disk = w.base / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk],
                                           stderr=subprocess.DEVNULL).returncode:
        raise Skip("mounting a tmpfs is not permitted here")
    w.at_end.append(lambda: subprocess.run(["umount", "-l", disk], check=True))
    s = w.server(f"--journal={disk}/j")
    worker = w.worker(cpus=1)
    running = w.submit("--", "bash", "-c", "until [ -e go ]; do sleep 0.02; done; echo end")
    w.await_running(running)
    ballast = disk / "ballast"
    fill(ballast)
    client = w.start("client", HQ, "submit", "--array=1-500", "--", "true", "x" * 4000)
    s.await_log("nothing new is accepted until it can be written again")
    result = w.hq("submit", "--", "true", rc=1)
    has(result.err, "No space left on device", "Nothing was changed")
    eq(w.json("server", "info")["journal_path"], f"{disk}/j")
    (w.work / "go").touch()
    until(lambda: w.read(f"job-{running}/0.stdout") == "end\n", "the running task ends")
    assert worker.alive() and client.alive()
    ballast.unlink()
    s.await_log("The journal can be written again")
    eq(client.wait(), 0)
    w.hq("job", "wait", running)
    s.kill()
    s = w.server(f"--journal={disk}/j")
    eq(w.stats(running)["finished"], 1)
    eq(len(w.json("job", "list", "--all")), 2, "jobs: the refused one is none")
    worker.await_log("The server is back")
    w.stop(s)


main()
