#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`hq journal replay` and `stream`: the events of a server that runs, is pruned, is killed, and of readers that do not read."""
import datetime, json, signal, subprocess

from harness import HQ, case, count_fds, eq, has, main, status_kib, text, until

JOURNAL_MIB = 12         # below the size from which a journal is compacted by itself
READER_KIB = 4 << 10     # that a reader which does not read may cost the server: a page or two, not the journal


def server(w):
    return w.server("--journal=j")


def exported(w):
    return w.hq("journal", "export", "j").lines()


def stream(w):
    return w.start("stream", HQ, "journal", "stream")


def lines(p):
    return p.log().splitlines()


def await_job_end(p, job):
    p.await_log(r'\{"event":\{"job":%d,"type":"job-completed"\}' % job)


def run_job(w, *args):
    job = w.submit(*args, "--", "true")
    w.hq("job", "wait", job)
    return job


@case
def replay_is_what_the_journal_exports(w):
    server(w)
    w.worker(cpus=4)
    run_job(w, "--array=1-50")
    w.hq("journal", "flush")
    replayed = w.hq("journal", "replay").lines()
    eq(replayed, exported(w))
    eq(json.loads(replayed[0])["event"]["type"], "server-start")
    eq(sum('"task-finished"' in line for line in replayed), 50)


@case
def records_larger_than_a_page(w):
    server(w)
    w.worker(cpus=4)
    entries = w.work / "entries"
    entries.write_text("".join(f"{i:04} {'x' * 996}\n" for i in range(2000)))  # one record of 2 MB
    w.hq("submit", "--each-line=entries", "--wait", "--", "true")
    replayed = w.hq("journal", "replay").lines()
    eq(replayed, exported(w))
    eq(sum('"task-finished"' in line for line in replayed), 2000)


@case
def stream_shows_the_past_and_what_happens(w):
    s = server(w)
    w.worker(cpus=4)
    past = run_job(w, "--array=1-3")
    readers = [stream(w), stream(w)]
    for p in readers:
        await_job_end(p, past)
    live = run_job(w, "--array=1-3")
    for p in readers:
        await_job_end(p, live)
    w.stop(s)
    eq([p.wait() for p in readers], [0, 0])
    whole = exported(w)
    for p in readers:  # what the stop itself does may be told, or not any more
        seen = lines(p)
        eq(seen, whole[:len(seen)])
        assert any('"job":%d,"type":"job-completed"' % live in line for line in seen)


def types(events):
    return [json.loads(line)["event"]["type"] for line in events]


@case
def an_orderly_stop_is_the_last_event(w):
    s = server(w)
    p = stream(w)
    p.await_log('"server-start"')
    w.stop(s)
    eq(p.wait(), 0)
    eq(types(lines(p)), ["server-start"])  # readers are let go before
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        s = server(w)
        s.send(signum)
        s.wait()
    once = ["server-start", "server-stop"]
    eq(types(exported(w)), 3 * once + once[:1])
    s = server(w)
    w.hq("journal", "prune")
    eq(types(exported(w)), 3 * once + 2 * once[:1])
    w.stop(s)
    eq(types(exported(w)), 3 * once + once[:1] + once)


@case
def nobody_else_has_to_make_it_safe(w):
    s = w.server("--journal=j", "--journal-flush-period=1h")
    w.worker(cpus=1)
    p = stream(w)
    p.await_log('"worker-connected"')
    job = w.submit("--", "bash", "-c", "until [ -e go ]; do sleep 0.02; done")
    p.await_log('"task-started"')  # nothing that a command waits for comes after the submit
    (w.work / "go").touch()
    await_job_end(p, job)
    w.stop(s)


@case
def interrupted(w):
    server(w)
    p = stream(w)
    p.await_log('"server-start"')
    p.send(signal.SIGINT)
    eq(p.wait(), -signal.SIGINT)


def times(lines):
    """As texts they would not sort: a whole second is written without its milliseconds."""
    return [datetime.datetime.fromisoformat(json.loads(line)["time"].replace("Z", "+00:00")) for line in lines]


@case
def without_a_journal_history_is_made_up(w):
    s = w.server()
    gone = w.worker(cpus=1)
    first = run_job(w, "--array=1-3")
    w.hq("worker", "stop", gone.id)
    gone.wait()
    w.worker(cpus=4)
    w.hq("job", "open")
    for _ in range(2):
        w.submit("--job=2", "--", "true")
    w.hq("job", "wait", "2", "--without-close")
    failed = w.submit("--", "bash", "-c", "exit 3")
    w.hq("job", "wait", failed)
    canceled = w.submit("--array=1-2", "--cpus=100", "--", "true")
    w.hq("job", "cancel", canceled)
    running = w.submit("--", "sleep", "100")
    w.await_running(running)
    for command in ("flush", "prune"):  # done at once, and nothing was
        r = w.hq("journal", command)
        eq((r.out, r.err), ("", ""))
    r = w.hq("journal", "replay")
    events = [json.loads(line)["event"] for line in r.lines()]
    eq(r.err, "")
    eq(times(r.lines()), sorted(times(r.lines())))
    eq([e["type"] for e in events if e["type"].startswith(("server", "worker"))],
       ["server-start", "worker-connected", "worker-lost", "worker-connected"])
    eq([e["job_id"] for e in events if e["type"] == "job-open"], [1, 2, 3, 4, 5])
    eq([(e["job"], e["closed_job"]) for e in events if e["type"] == "job-created"],
       [(1, False), (2, False), (2, False), (3, False), (4, False), (5, False)])
    eq(sorted((e["job"], e["task"], e["worker"]) for e in events if e["type"] == "task-started"),
       [(1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 0, 2), (2, 1, 2), (3, 0, 2), (5, 0, 2)])
    eq(sum(e["type"] == "task-finished" for e in events), 5)
    eq([(e["job"], e["error"]) for e in events if e["type"] == "task-failed"], [(3, "Program terminated with exit code 3.")])
    eq([e["tasks"] for e in events if e["type"] == "task-canceled"],
       [[{"job_id": 4, "job_task_id": 1}, {"job_id": 4, "job_task_id": 2}]])
    eq([e["job"] for e in events if e["type"] == "job-completed"], [1, 3, 4])
    for line in r.lines():
        eq(json.dumps(json.loads(line), separators=(",", ":"), sort_keys=True), line)
    eq((first, failed, canceled), (1, 3, 4))
    w.stop(s)
    has(w.hq("journal", "stream", rc=1).err, "No running instance of HQ found")


@case
def without_a_journal_streams_go_on(w):
    s = w.server()
    w.worker(cpus=4)
    past = run_job(w, "--array=1-3")
    readers = [stream(w), stream(w)]
    for p in readers:
        await_job_end(p, past)
    (w.work / "entries").write_text("x" * 1000 + "\n" + "y" * 1000 + "\n")
    live = run_job(w, "--each-line=entries")
    w.hq("job", "forget", "all")
    last = run_job(w)
    for p in readers:
        await_job_end(p, last)
    late = stream(w)
    await_job_end(late, last)
    w.stop(s)
    eq([p.wait() for p in [*readers, late]], [0, 0, 0])
    seen = lines(readers[0])
    eq(sum('"job":%d,' % past in line for line in seen), 8)
    eq([t for t in types(line for line in seen if '"job":%d,' % live in line)].count("task-finished"), 2)
    eq('"job":%d,' % past in late.log(), False)  # forgotten
    eq("server-stop" in readers[0].log(), False)
    n = min(len(seen), len(lines(readers[1])))
    eq(seen[:n], lines(readers[1])[:n])


@case
def a_reader_that_does_not_read(w):
    s = server(w)
    w.worker(cpus=4)
    run_job(w, "--array=1-5000")  # its events fill the pipe
    (w.work / "entries").write_text("".join(f"{i:04} {'x' * 1018}\n" for i in range(1024)))
    for _ in range(JOURNAL_MIB):
        job = w.submit("--each-line=entries", "--cpus=100", "--", "true")
        w.hq("job", "cancel", job)
        w.hq("job", "forget", job)
    w.hq("journal", "flush")
    assert (w.work / "j").stat().st_size > JOURNAL_MIB << 20
    before = status_kib(s.pid, "VmRSS")
    p = subprocess.Popen([HQ, "journal", "stream"], cwd=w.work, env=w.env, stdout=subprocess.PIPE, start_new_session=True)
    try:
        seen = [p.stdout.readline()]
        for _ in range(3):  # others are served
            run_job(w)
        grown = status_kib(s.pid, "VmRSS") - before
        assert grown < READER_KIB, f"the server grew by {grown} KiB"
        w.hq("journal", "flush")
        whole = exported(w)
        seen += [p.stdout.readline() for _ in whole[1:]]
        eq([text(line).rstrip("\n") for line in seen], whole)
    finally:
        p.kill()
        p.wait()
        p.stdout.close()


@case
def readers_leave_nothing_behind(w):
    s = server(w)
    run = w.hq("journal", "replay").lines()
    fds = count_fds(s.pid)
    p = stream(w)
    p.await_log('"server-start"')
    p.kill()
    eq(w.hq("journal", "replay").lines(), run)
    until(lambda: count_fds(s.pid) <= fds, "the descriptors of both are closed")


@case
def readers_are_limited(w):
    s = server(w)
    readers = [stream(w) for _ in range(64)]
    for p in readers:
        p.await_log('"server-start"')
    r = w.hq("journal", "replay", rc=1)
    eq(r.out, "")
    has(r.err, "64 clients are reading the journal: at most 64 can")
    w.stop(s)
    eq([p.wait() for p in readers], [0] * 64)


@case
def on_through_a_prune(w):
    s = server(w)
    w.worker(cpus=4)
    p = stream(w)
    first = run_job(w, "--array=1-3")
    await_job_end(p, first)
    w.hq("journal", "flush")
    before = exported(w)
    eq(lines(p), before)
    w.hq("journal", "prune")
    assert len(exported(w)) < len(before)
    second = run_job(w, "--array=1-3")
    await_job_end(p, second)
    after = lines(p)
    eq(after[:len(before)], before)
    eq(after[len(before):], exported(w)[-len(after) + len(before):])
    eq(w.hq("journal", "replay").lines(), exported(w))
    w.stop(s)
    eq(p.wait(), 0)


@case
def left_behind_by_two_prunes(w):
    server(w)
    w.worker(cpus=4)
    p = stream(w)
    p.await_log('"worker-connected"')
    p.send(signal.SIGSTOP)
    for _ in range(3):
        run_job(w, "--array=1-20")
        w.hq("journal", "prune")
    p.send(signal.SIGCONT)
    eq(p.wait(), 1)
    has(p.log(), "the journal was compacted before it was read up to there", "start again")


@case
def another_server_took_its_place(w):
    """It can answer nothing of what the one before was asked: that is a failure, not the end that was waited for."""
    s = server(w)
    job = w.submit("--", "true")
    clients = [stream(w), w.start("client", HQ, "job", "wait", job),
               w.start("client", HQ, "submit", "--wait", "--", "true")]
    clients[0].await_log('"server-start"')
    until(lambda: w.counters()["waiting_commands"] == 2, "both of them wait")
    s.kill()
    for p in clients:
        p.await_log("waiting for it to come back")
    w.server()
    eq([p.wait() for p in clients], [1, 1, 1])
    for p in clients:
        has(p.log(), "Connection closed")


@case
def on_through_a_killed_server(w):
    s = server(w)
    worker = w.worker(cpus=4)
    first = run_job(w, "--array=1-3")
    p = stream(w)
    await_job_end(p, first)
    s.kill()
    p.await_log("The connection to the server is lost; waiting for it to come back")
    s = server(w)
    worker.await_log("The server is back")
    second = run_job(w, "--array=1-3")
    await_job_end(p, second)
    seen = [line for line in lines(p) if line.startswith("{")]
    eq(seen, exported(w)[:len(seen)])
    eq(sum('"server-start"' in line for line in seen), 2)
    w.stop(s)
    eq(p.wait(), 0)


main()
