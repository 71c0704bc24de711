#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Terminals, pipes, full disks, bytes that are no text, ^C: what a command does with the streams and names it is given."""
import os, re, signal, subprocess, threading, time

from harness import case, eq, has, main, text, until

RESET = r"\x1b\[[0-9;]*[mK]"


def cluster(w, **more):
    w.server()
    w.worker("--hostname=w1", **more)


def shell(w, command, env=None):
    """Exit code and stderr of a line of bash; stdout where the line leads it."""
    done = subprocess.run(["bash", "-c", command], env=w.environ(env), cwd=w.work, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    return done.returncode, text(done.stderr), text(done.stdout)


# ---- terminals

@case
def a_terminal_of_20_columns(w):
    """Tables are as wide as they are; a bar that is redrawn stays in its line."""
    cluster(w)
    w.hq("submit", "--wait", "--array=1-30", "--stdout=none", "--stderr=none", "--", "bash", "-c",
         "exit $((HQ_TASK_ID % 2))")
    code, out = w.on_terminal("--colors=never", "job", "list", "--all", columns=20)
    eq((code, out.replace("\r\n", "\n")), (0, w.hq("job", "list", "--all").out))
    for args in (["submit", "--progress", "--array=1-10", "--", "true"],
                 ["run", "--worker-cpus=1", "--detect-resources=none",
                 "--array=1-20", "--stdout=none", "--stderr=none", "sleep", "0.02"]):
        code, out = w.on_terminal(*args, columns=20)
        eq(code, 0, out)
        pictures = re.findall(r"\r\x1b\[2K([^\r]*)", out.split("INFO Waiting")[-1])
        assert pictures, repr(out)
        for picture in pictures:
            shown = re.sub(RESET, "", picture)
            assert len(shown) < 20 or "makespan" in shown, repr(picture)
        has(re.sub(RESET, "", out), "0/1 jobs, ")
    wide = w.on_terminal("job", "progress", "last", columns=20)
    has(wide[1], "There are no jobs to wait for")
    eq(w.on_terminal("submit", "--help", columns=20)[1].replace("\r\n", "\n"), w.hq("submit", "--help").out)


@case
def colours(w):
    """On terminals only, unless somebody asks for them."""
    w.server()
    w.submit("--", "true")
    list_ = ["job", "list"]

    def coloured(out):
        return "\x1b[" in out
    eq(coloured(w.hq(*list_).out), False, "a pipe")
    eq(coloured(w.on_terminal(*list_)[1]), True, "a terminal")
    for args, env, pipe, terminal in ((["--colors=always"], {}, True, True), (["--colors=never"], {}, False, False),
                                      ([], {"NO_COLOR": "1"}, False, False), ([], {"CLICOLOR": "0"}, False, False),
                                      ([], {"CLICOLOR": "1"}, False, True), ([], {"CLICOLOR_FORCE": "1"}, True, True),
                                      ([], {"CLICOLOR_FORCE": "0"}, False, True),
                                      ([], {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, True, True),
                                      (["--colors=never"], {"CLICOLOR_FORCE": "1"}, False, False),
                                      (["--colors=always"], {"NO_COLOR": "1"}, True, True),
                                      (["--output-mode=json"], {}, False, False),
                                      (["--output-mode=quiet"], {}, False, False)):
        eq((coloured(w.hq(*list_, *args, env=env).out), coloured(w.on_terminal(*list_, *args, env=env)[1])),
           (pipe, terminal), (args, env))


@case
def log_lines(w):
    """Their form and level: by --debug and RUST_LOG. Their colours: by the terminal, RUST_LOG_STYLE and NO_COLOR."""
    w.server()
    short, long = r"\d{4}(-\d\d){2}T(\d\d:){2}\d\dZ INFO There is nothing to cancel\n", \
                  r"\[\d{4}(-\d\d){2}T(\d\d:){2}\d\d\.\d{3}Z INFO  hq\] There is nothing to cancel\n"
    cancel = ["job", "cancel", "all"]
    for args, env, pattern in (([], {}, short), (["--debug"], {}, f"(.*DEBUG.*\n)*{long}(.*DEBUG.*\n)*"),
                               ([], {"HQ_DEBUG": "true"}, f"(.*DEBUG.*\n)*{long}(.*DEBUG.*\n)*"),
                               ([], {"HQ_DEBUG": "false"}, short),
                               ([], {"RUST_LOG": "debug"}, f"(.*DEBUG.*\n)*{long}(.*DEBUG.*\n)*"),
                               ([], {"RUST_LOG": "info"}, short),
                               ([], {"RUST_LOG": "warn"}, ""), ([], {"RUST_LOG": "WARN"}, ""),
                               ([], {"RUST_LOG": "off"}, ""),
                               ([], {"RUST_LOG": "trace"}, f"(.*\n)*{short}(.*\n)*"), ([], {"RUST_LOG": ""}, short),
                               ([], {"RUST_LOG": "warn,hq=info"}, short), ([], {"RUST_LOG": "hq=error"}, ""),
                               ([], {"RUST_LOG": "hq=debug"}, f"(.*DEBUG.*\n)*{long}(.*DEBUG.*\n)*"),
                               ([], {"RUST_LOG": "nonsense"}, short), (["--debug"], {"RUST_LOG": "warn"}, "")):
        err = w.hq(*cancel, *args, env=env).err
        assert re.fullmatch(pattern, err), f"{args} {env}: {err!r}"
    line = r"\x1b\[30m[-\dT:Z]+\x1b\[0m \x1b\[1;32mINFO\x1b\[0m There is nothing to cancel\r?\n"
    for env, pipe, terminal in (({}, False, True), ({"RUST_LOG_STYLE": "always"}, True, True),
                                ({"RUST_LOG_STYLE": "never"}, False, False),
                                ({"RUST_LOG_STYLE": "auto"}, False, True), ({"NO_COLOR": "1"}, False, False)):
        eq((bool(re.fullmatch(line, w.hq(*cancel, env=env).err)), bool(re.fullmatch(line,
                                                                                    w.on_terminal(*cancel, env=env)[1]))),
           (pipe, terminal), env)


# ---- ^C

def interrupt(w, *commands):
    """^C for commands when the answers of all are outstanding; then the server forgets them. What they printed."""
    go, results = threading.Event(), {}

    def run(i):
        results[i] = w.on_terminal("--colors=never", *commands[i], interrupt_at=go.is_set)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(commands))]
    for t in threads:
        t.start()
    try:
        until(lambda: w.counters()["waiting_commands"] == len(commands), "all commands wait")
    finally:
        go.set()
        for t in threads:
            t.join()
    for i, command in enumerate(commands):
        eq(results[i][0], -signal.SIGINT, f"{command}: {results[i][1]}")
    until(lambda: (w.counters()["waiting_commands"], w.counters()["clients"]) == (0, 1), "nobody waits")
    return [results[i][1] for i in range(len(commands))]


@case
def control_c_in_waiting_commands(w):
    """It ends the command, by the signal, and nothing else: the job goes on, the server too."""
    cluster(w, cpus=8)
    job = w.submit("--", "bash", "-c", "until [ -e go ]; do sleep 0.02; done")
    opened = int(w.hq("--output-mode=quiet", "job", "open").out)
    follow = ["--", "bash", "-c", "until [ -e go ]; do sleep 0.02; done"]
    out = interrupt(w, ["submit", "--wait", *follow], ["submit", "--progress", *follow], ["job", "wait", job],
                    ["job", "wait", "all"], ["job", "wait", opened], ["job", "progress", job], ["worker", "wait", "5"])
    has(out[0], "Job submitted successfully, job ID: ")
    has(out[1], "Job submitted successfully, job ID: ", " Waiting for 1 job with 1 task\r\n",
        " 0/1 jobs, 0/1 tasks ")
    has(out[5], " Waiting for 1 job with 1 task\r\n")
    w.hq("job", "close", opened)
    eq([w.states(j) for j in (1, 3, 4)], [["running"]] * 3)
    (w.work / "go").touch()
    w.hq("job", "wait", "all")
    eq([w.states(j) for j in (1, 3, 4)], [["finished"]] * 3)
    assert w.processes[0].alive() and w.processes[1].alive()


@case
def control_c_while_reading(w):
    """Nothing was submitted yet."""
    cluster(w)
    asked = time.monotonic()
    code, out = w.on_terminal("submit", "--stdin", "--", "cat", interrupt_at=lambda: time.monotonic() > asked + 0.3)
    eq(code, -signal.SIGINT, out)
    has(out, "Reading data from stdin. In the interactive mode press Ctrl-D to submit.")
    eq(w.json("job", "list", "--all"), [])
    until(lambda: w.counters()["uploads"] == 0 and w.counters()["clients"] == 1, "the server has forgotten the client")


@case
def control_c_before_there_is_a_server(w):
    asked = time.monotonic()
    code, out = w.on_terminal("server", "wait", env={"NO_COLOR": "1"}, interrupt_at=lambda: time.monotonic() > asked + 0.3)
    eq(code, -signal.SIGINT, out)
    has(out, "INFO Waiting for server to become available (timeout: 5m)...")


# ---- streams that are closed or full

ASKING = ("server info", "worker list", "worker info 1", "worker address 1", "job list --all", "job summary", "job info 1",
          "job cat 1 stdout", "job task-ids 1", "task list 1", "task info 1 0")
ALONE = ("--version", "--help", "-h", "job --help", "worker hwdetect", "generate-completion bash")


@case
def stdout_that_cannot_be_written(w):
    """An error, with its reason, whatever the command and mode."""
    cluster(w)
    w.hq("submit", "--wait", "--", "echo", "hello")
    for command in (*ASKING, *ALONE, *(f"--output-mode={mode} {c}" for mode in ("json",
                                                                                "quiet") for c in ("job list --all",
                                                                                                   "worker list"))):
        for to, why in ((">/dev/full", "No space left on device (os error 28)"),
                        (">&-", "Bad file descriptor (os error 9)")):
            code, err, _ = shell(w, f"hq {command} {to}")
            eq((code, err.splitlines()[-1]), (1, f"Cannot write to stdout: {why}"), (command, to))
    for command in ("job cancel 1", "worker stop 99", "job wait 1"):
        eq(shell(w, f"hq {command} >&-")[0], 0, f"{command} prints nothing")
    for to in (">&-", ">/dev/full"):
        code, err, _ = shell(w, f"hq submit --wait --stdout=none --stderr=none -- touch made {to}")
        eq(code, 1)
        has(err, "Cannot write to stdout: ")
        assert (w.work / "made").exists(), "the job was submitted all the same"
        (w.work / "made").unlink()


@case
def other_streams_that_are_closed(w):
    """No socket takes the place of a closed stream: nothing is written or read there by mistake."""
    cluster(w)
    job = w.submit("--", "true")
    w.hq("job", "wait", job)
    for closed in ("2>&-", "<&-", "<&- 2>&-"):
        for command in ASKING:
            eq(shell(w, f"hq {command} {closed}")[0], 0, (command, closed))
    code, err, _ = shell(w, "hq submit --stdin -- cat <&-")
    eq((code, err), (1, "Cannot read stdin\n\nCaused by:\n    Bad file descriptor (os error 9)\n"))
    eq(shell(w, "hq job list --all <&- >&- 2>&-")[0], 1)
    eq(w.json("job", "list", "--all")[0]["task_stats"]["finished"], 1)


@case
def servers_and_workers_without_streams(w):
    """Their work is not what they print."""
    streams = {"server": ">&- 2>&-", "worker": "<&- >&- 2>&-"}
    server = w.start("server", "bash", "-c", f"exec hq server start {streams['server']}")
    w.hq("server", "wait", "--timeout=20")
    worker = w.start("worker", "bash", "-c", f"exec hq worker start --cpus=1 --detect-resources=none {streams['worker']}")
    w.hq("worker", "wait", "1")
    w.hq("submit", "--wait", "--", "bash", "-c", "cat; echo out; echo err >&2")
    eq((w.states(1), w.read("job-1/0.stdout"), w.read("job-1/0.stderr")), (["finished"], "out\n", "err\n"))
    w.hq("server", "stop")
    eq((server.wait(), worker.wait()), (0, 0))


@case
def a_pipe_that_ends_early(w):
    """Ended by SIGPIPE, without a word; also when the one who started it ignores the signal."""
    cluster(w)
    w.submit("--array=1-20000", "--resource=nothing=1", "--", "true")
    for ignore in ("", "trap '' PIPE; "):
        for command in ("task list 1", "--output-mode=json task list 1"):
            code, err, out = shell(w, f"{ignore}hq {command} | head -1; echo ${{PIPESTATUS[0]}}")
            eq((err, out.splitlines()[-1], len(out.splitlines())), ("", "141", 2), command)
    code, err, out = shell(w, "hq job list | head -1; echo ${PIPESTATUS[0]}")
    eq((err, len(out.splitlines())), ("", 2))
    has("0 141", out.splitlines()[-1])


# ---- names

BAD = b"a\xffb"


@case
def arguments_that_are_not_text(w):
    """Programs, paths and variables are bytes and pass; names are text."""
    cluster(w)
    odd = os.fsdecode(BAD)
    (w.work / odd).mkdir()
    (w.work / odd / "lines").write_bytes(b"x\xfe\ny\n")
    w.hq("submit", "--wait", f"--env=K={odd}", "--stdout=%{TASK_ID}-" + odd, f"--each-line={odd}/lines", "--", "bash", "-c",
         'printf "%s %s " "$K" "$HQ_ENTRY"; pwd', cwd=w.work / odd / "..")
    here = os.fsencode(w.work)
    eq([(w.work / f"{i}-{odd}").read_bytes() for i in (0, 1)], [BAD + b" x\xfe " + here + b"\n",
                                                                BAD + b" y " + here + b"\n"])
    w.hq("submit", "--wait", "--", "bash", "-c", "echo $0; pwd", odd, cwd=w.work / odd)
    eq(w.hq("job", "cat", "2", "stdout", cwd=w.work).raw, BAD + b"\n" + here + b"/" + BAD + b"\n")
    (info,) = w.json("job", "info", "2")
    eq(info["submits"][0]["array"]["program"]["args"][3], "a\ufffdb")
    eq(w.task(2)["cwd"], f"{w.work}/a\ufffdb")
    has(w.hq("job", "info", "2").out, "| a\ufffdb ")
    eq(w.states(2), ["finished"])
    has(w.hq("submit", "--cwd=" + odd, "--", "true").out, "job ID: 3")
    for args, what in ((["submit", f"--name={odd}", "x"], "the job name is not valid UTF-8"),
                       (["job", "open", f"--name={odd}"], "the job name is not valid UTF-8"),
                       (["worker", "start", "--cpus=1", "--detect-resources=none", f"--group={odd}"],
                        "the group of the worker is not valid UTF-8"),
                       (["submit", f"--each-line={odd}", "x"], "Is a directory (os error 21)")):
        has(w.hq(*args, rc=1).err, what)
    for args in ([odd], ["job", "--" + odd], ["submit", f"--array={odd}", "x"], ["job", "info", odd],
                 ["submit", f"--resource={odd}=1", "x"]):
        has(w.hq(*args, rc=2).err, "error: ")
    has(w.hq("--server-dir", odd + "/none", "job", "list", rc=1).err, 'a\ufffdb/none" is not a directory')
    assert w.processes[0].alive()


@case
def a_server_directory_that_is_not_text(w):
    w.env["HQ_SERVER_DIR"] = os.fsdecode(os.fsencode(w.base) + b"/" + BAD)
    cluster(w)
    w.hq("submit", "--wait", "--", "true")
    eq(w.states(1), ["finished"])
    has(w.processes[0].log(), "a\ufffdb")


@case
def names_of_10000_characters(w):
    """Told with their limit, or kept as they are; never cut in silence."""
    cluster(w)
    name = "n" * 10000
    for args in (["submit", f"--name={name}", "x"], ["job", "open", f"--name={name}"]):
        has(w.hq(*args, rc=1).err, "the job name has 10000 bytes, at most 4096 are allowed")
    for option, what in (("group", "group"), ("hostname", "hostname")):
        has(w.hq("worker", "start", "--cpus=1", "--detect-resources=none", f"--{option}={name}", rc=1).err,
            f"the {what} of the worker has 10000 bytes, at most 4096 are allowed")
    for args in (["submit", f"--resource={name}=1", "x"], ["worker", "start", f"--resource={name}=[1]"],
                 ["submit", f"--array={name}", "x"], [name], ["job", f"--{name}"], ["job", "list", f"--filter={name}"]):
        r = w.hq(*args, rc=2)
        has(r.err, "error: ")
        assert len(r.err) < 60000, len(r.err)
    job = w.submit("--name=" + "m" * 4096, "--", "echo", name)
    w.hq("job", "wait", job)
    eq(w.hq("job", "cat", job, "stdout").out, name + "\n")
    has(w.hq("job", "list", "--all").out, "| " + "m" * 24 + "..." + "m" * 23 + " |")
    has(w.hq("job", "info", job).out, "<10000 bytes>")
    for options, where in (([f"--cwd={name}/x", "--stdout=none"], "Could not create working directory: "),
                           ([f"--stdout={name}/x"], "Cannot create stdout directory at ")):
        w.hq("submit", "--wait", "--stderr=none", *options, "--", "true")
        error = w.task(max(j["id"] for j in w.json("job", "list", "--all")))["error"]
        has(error, where)
        assert "File name too long (os error 36)" in error or error.endswith("\n[The message was truncated]"), error
    for args in (["submit", f"--each-line={name}", "x"], ["server", "generate-access", name, "--client-port=1",
                                                          "--worker-port=2"]):
        has(w.hq(*args, rc=1).err, "File name too long (os error 36)")
    has(w.hq("--server-dir", name, "job", "list", rc=1).err, "path", "too long")
    has(w.hq("job", "cancel", job, f"--reason={name}", rc=2).err,
        "Cancel reason must be shorter than 200 you entered 10000.")
    w.hq("submit", "--wait", "--", "true")


main()
