#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is wrong is said to the one who did it, with the value and what to do; nobody else notices."""
import json, os, socket, subprocess

from harness import HQ, Skip, case, eq, has, main


def cluster(w, **more):
    w.server()
    w.worker(**more)


def error_of(w, *args):
    job = w.submit(*args)
    w.hq("job", "wait", job)
    task = w.task(job)
    eq(task["state"], "failed")
    return task["error"]


def still_works(w):
    w.hq("submit", "--wait", "--", "true", seconds=10)
    eq(w.task(max(j["id"] for j in w.json("job", "list", "--all")))["state"], "finished")


@case
def arrays(w):
    w.server()
    for text, note in (("3-1", "Invalid range"), ("1-10:0", "Invalid range"), ("1,1", "Ranges overlap"),
                       ("1-3,2-5", "Ranges overlap"), ("a", "Unexpected token `a`"), ("", "(the input was empty)"),
                       ("-1", "Unexpected token `-`"), ("4294967296", "Cannot parse as 4-byte unsigned integer"),
                       ("1-", ""), ("1,,2", ""), ("5-5:1", "Invalid range")):
        r = w.hq("submit", f"--array={text}", "--", "true", rc=2)
        has(r.err, f"error: invalid value '{text}' for '--array <ARRAY>': ", note, "For more information, try '--help'.")
    eq(w.json("job", "list", "--all"), [])


@case
def amounts(w):
    w.server()
    for args, note in ((["--cpus=0"], "Zero resources cannot be requested"), (["--cpus=-1"], ""), (["--cpus=1.00001"],
                       "Resource precision exceeded"), (["--resource=gpus/nvidia=0"], "Zero resources cannot be requested"),
                       (["--resource=x=-2"], ""), (["--resource=a_b=1"], ""), (["--cpus=1 foo"], ""), (["--priority=x"], ""),
                       (["--time-limit=5 parsecs"], ""), (["--crash-limit=0"], "Crash limit cannot be 0."),
                       (["--stdout=a:b"], "Cannot parse stream"), (["--env="], "Environment variable cannot be empty"),
                       (["--max-fails=-1"], ""), (["--pin=x"], "[possible values: taskset, omp]")):
        has(w.hq("submit", *args, "--", "true", rc=2).err, "error: ", note)
    for args, text in ((["--cpus=1", "--resource=cpus=1"], "--cpus and --resource cpus=... cannot be combined"),
                       (["--resource=a=1", "--resource=a=2"], "Resource 'a' defined more than once"),
                       (["--name=a\tb"], "name cannot have a newline or a tab"),
                       (["--cwd=%{CWD}/x"], "Working directory path cannot contain the working directory placeholder"),
                       (["--job=7"], "Job 7 not found.")):
        has(w.hq("submit", *args, "--", "true", rc=1).err, text)
    eq(w.json("job", "list", "--all"), [])


@case
def an_unknown_resource_waits(w):
    cluster(w)
    job = w.submit("--resource=gpus/nvidia=1", "--array=1-2", "--", "true")
    large = w.submit("--cpus=999", "--", "true")
    still_works(w)
    eq((w.states(job), w.states(large)), (["waiting"] * 2, ["waiting"]))
    w.worker("--resource=gpus/nvidia=[0]")
    w.hq("job", "wait", job)
    eq(w.states(job), ["finished"] * 2)


@case
def unfinished_features_are_refused(w):
    w.server()
    for args in (["--nodes=2"], ["--stream=s"], ["--weight=2"], ["--on-notify=x"]):
        has(w.hq("submit", *args, "--", "true", rc=2).err, f"unexpected argument '{args[0].split('=')[0]}' found")
    w.script("d.sh", "#!/bin/bash\n#HQ --cpus=2\ntrue\n")
    has(w.hq("submit", "./d.sh", rc=1).err, "#HQ directives are not supported yet")


@case
def entries_files(w):
    w.server()
    has(w.hq("submit", "--each-line=gone", "--", "true", rc=1).err, "No such file or directory (os error 2)")
    has(w.hq("submit", "--each-line=.", "--", "true", rc=1).err, "Is a directory (os error 21)")
    (w.work / "object.json").write_text('{"a": 1}')
    has(w.hq("submit", "--from-json=object.json", "--", "true", rc=1).err,
        "object.json: The top element of the provided JSON file has to be an array")
    for text in ("xxx", "[1,", "", '["\xff"]'):
        (w.work / "bad.json").write_bytes(text.encode("latin-1"))
        assert len(w.hq("submit", "--from-json=bad.json", "--", "true", rc=1).err.splitlines()) >= 2
    (w.work / "empty").touch()
    # a job without tasks has ended as soon as it is there
    has(w.hq("submit", "--wait", "--each-line=empty", "--", "true").out, "Job submitted successfully, job ID: 1")
    has(w.hq("--output-mode=quiet", "job", "list", "--all").out, "1 FINISHED")
    (w.work / "none.json").write_text("[]")
    has(w.hq("submit", "--wait", "--from-json=none.json", "--array=1-5", "--", "true").out, "job ID: 2")
    has(w.hq("submit", "--each-line=a", "--from-json=b", "--", "true", rc=2).err, "cannot be used with")
    has(w.hq("submit", "gone.sh", rc=1).err, "gone.sh", "No such file or directory")


@case
def directories_and_outputs_that_cannot_be_made(w):
    cluster(w)
    (w.work / "file").touch()
    has(error_of(w, "--cwd=file/x", "--stdout=none", "--stderr=none", "--", "true"),
        "Could not create working directory: Not a directory (os error 20)")
    has(error_of(w, "--stdout=file/x/y", "--", "true"), "Cannot create stdout directory at ", "Not a directory (os error 20)")
    has(error_of(w, "--stderr=/proc/nothing/here", "--", "true"), "Cannot create stderr directory at ",
        "No such file or directory (os error 2)")
    (w.work / "dir").mkdir()
    has(error_of(w, "--stdout=dir", "--", "true"), "Creating stream file failed: Is a directory (os error 21)")
    has(error_of(w, "--stdout=/dev/full", "--", "head", "-c", "9", "/dev/zero"), "exit code 1.")
    os.mkfifo(w.work / "fifo")
    has(error_of(w, "--stdout=fifo", "--", "true"), "Creating stream file failed: No such device or address (os error 6)")
    has(error_of(w, "--cwd=" + "x" * 300, "--stdout=none", "--stderr=none", "--", "true"),
        "Could not create working directory: File name too long (os error 36)")
    still_works(w)


@case
def a_disk_that_fills(w):
    """64 kB of room for 5 MB of output: the task is told, and fails or not as it sees fit; the worker goes on."""
    small = w.base / "small"
    small.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small],
                                           stderr=subprocess.DEVNULL).returncode:
        raise Skip("mounting is not allowed here")
    w.at_end.append(lambda: subprocess.run(["umount", "-l", small], check=True))
    cluster(w)
    (small / "full").write_bytes(b"x" * 60000)
    has(error_of(w, f"--stdout={small}/out", "--stderr=err", "--", "dd", "if=/dev/zero", "bs=64k", "count=80"), "exit code 1")
    has(w.read("err"), "No space left on device")
    still_works(w)
    r = w.hq("run", "--worker-cpus=1", "--detect-resources=none", f"--cwd={small}", "--", "head", "-c", "1000000", "/dev/zero", rc=1)
    has(r.out, "1 FAILED")


@case
def no_server(w):
    for args in (["job", "list"], ["submit", "true"], ["worker", "list"], ["server", "stop"], ["job", "wait", "all"]):
        has(w.hq(*args, rc=1).err, "Invalid server directory", f'Error: "{w.server_dir}" is not a directory')
    r = w.hq("worker", "start", "--cpus=1", rc=1)
    has(r.err, "Cannot load server directory")
    (w.server_dir / "001").mkdir(parents=True)
    has(w.hq("job", "list", rc=1).err, "No running instance of HQ found at", "No such file or directory (os error 2)")
    (w.base / "file").touch()
    has(w.hq("--server-dir", w.base / "file", "job", "list", rc=1).err, "is not a directory")
    has(w.hq("--server-dir=", "job", "list", rc=2).err, "a value is required for '--server-dir <SERVER_DIR>'")


def forged(w, change):
    """A server directory whose access file is that of the live server, changed."""
    access = json.loads((w.server_dir / "hq-current/access.json").read_text())
    change(access)
    d = w.base / f"forged-{len(list(w.base.iterdir()))}"
    d.mkdir()
    (d / "access.json").write_text(json.dumps(access))
    return d


@case
def wrong_keys(w):
    cluster(w)
    server = w.processes[0]
    bad = forged(w, lambda a: (a["client"].update(secret_key="00" * 32), a["worker"].update(secret_key="11" * 32)))
    r = w.hq("--server-dir", bad, "job", "list", rc=1)
    has(r.err, "is unreachable")
    p = w.start("intruder", HQ, "worker", "start", "--cpus=1", "--detect-resources=none", "--server-dir", bad)
    still_works(w)
    eq(w.workers(), {1: "RUNNING"})
    p.kill()
    for key in (None, "", "xyz", "00" * 31, 5):
        r = w.hq("--server-dir", forged(w, lambda a: a["client"].update(secret_key=key)), "job", "list", rc=1)
        assert len(r.err) < 600, r.err
    assert server.alive()
    still_works(w)


@case
def other_versions_and_broken_files(w):
    w.server()
    r = w.hq("--server-dir", forged(w, lambda a: a.update(version="0.26.2")), "job", "list", rc=1)
    has(r.err, "Hyperqueue version mismatch detected.\nAccess record contains version 0.26.2, but the current version is "
               "hqcore-1.")
    r = w.hq("--server-dir", forged(w, lambda a: a.update(version="0.26.2")), "worker", "start", rc=1)
    has(r.err, "Caused by:\n    Version error: Hyperqueue version mismatch detected.\n")
    for name, content in (("empty", ""), ("text", "hello"), ("array", "[]"), ("number", '{"version": 1}'),
                          ("half", '{"version": "hqcore-1"}'), ("port", '{"version":"hqcore-1","client":{"host":"a","port":99999,'
                          f'"secret_key":"{"0" * 64}"' + "}}"), ("deep", "[" * 100000), ("large", '"' + "x" * 10_000_000)):
        d = w.base / name
        d.mkdir()
        (d / "access.json").write_text(content)
        r = w.hq("--server-dir", d, "job", "list", rc=1)
        assert 1 <= len(r.err) < 2000, r.err
        w.hq("--server-dir", d, "worker", "start", "--cpus=1", "--detect-resources=none", rc=1)


@case
def unknown_ids(w):
    w.server()
    has(w.hq("job", "info", "999").err, "Job 999 not found")
    has(w.hq("task", "list", "999").err, "Job 999 not found")
    has(w.hq("task", "info", "999", "0").err, "Cannot find job 999")
    has(w.hq("job", "cat", "999", "stdout").err, "Job 999 was not found")
    w.hq("job", "wait", "999")
    has(w.hq("job", "task-ids", "999", rc=1).err, "Job Id not found")
    has(w.hq("job", "close", "999").err, "Closing job 999 failed; job not found")
    has(w.hq("job", "forget", "999").err, "0 jobs were forgotten, 1 were ignored due to wrong state or invalid ID")
    has(w.hq("job", "info", "x", rc=2).err, "error: invalid value 'x' for '<SELECTOR>'")


@case
def garbage_on_the_ports(w):
    """Whoever talks anything else is cut off, costs at most a line in the log each, and disturbs nobody."""
    cluster(w)
    server = w.processes[0]
    info = w.json("server", "info")
    before = len(server.log().splitlines())
    payloads = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100_000, os.urandom(100_000), b"\xff" + b"\0" * 8 + b"\x7f",
                b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x00NULL" + b"\0" * 48, b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x00CURVE" + b"\0" * 300]
    held = []
    for port in (info["client_port"], info["worker_port"]):
        for payload in payloads:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                try:
                    s.sendall(payload)
                    s.settimeout(0.2)
                    s.recv(100)
                except OSError:
                    pass
        held += [socket.create_connection(("127.0.0.1", port), 5) for _ in range(50)]  # silent ones
    still_works(w)
    for s in held:
        s.close()
    still_works(w)
    lines = [l for l in server.log().splitlines()[before:] if "ERROR" in l or "WARN" in l]
    assert len(lines) <= 2 * len(payloads), "\n".join(lines)
    eq(w.workers(), {1: "RUNNING"})


@case
def a_port_where_nobody_answers(w):
    """Something listens on the server's port, but is no server: commands give up."""
    w.server()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        d = forged(w, lambda a: a["client"].update(host="127.0.0.1", port=s.getsockname()[1]))
        p = w.start("list", HQ, "--server-dir", d, "job", "list")
        eq(p.wait(30), 1)
        has(p.log(), "is unreachable")


@case
def a_host_that_does_not_exist(w):
    w.server()
    d = forged(w, lambda a: (a["client"].update(host="no-such-host.invalid"), a["worker"].update(host="no-such-host.invalid")))
    has(w.hq("--server-dir", d, "job", "list", rc=1).err, "no-such-host.invalid")
    has(w.hq("--server-dir", d, "worker", "start", "--cpus=1", "--detect-resources=none", rc=1).err, "no-such-host.invalid")


@case
def a_client_that_dies_in_a_wait(w):
    cluster(w)
    job = w.submit("--", "bash", "-c", "until [ -e go ]; do sleep 0.02; done")
    waits = [w.start("wait", HQ, "job", "wait", job) for _ in range(5)]
    for p in waits[:4]:
        p.kill()
    (w.work / "go").touch()
    eq(waits[4].wait(), 0)


@case
def too_few_descriptors(w):
    """Said, and no abort of a library below."""
    for n in (4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32, 40, 64):
        p = w.start("run", "bash", "-c", f"ulimit -n {n}; exec hq run --worker-cpus=2 --detect-resources=none --stdout=none "
                    "--stderr=none true")
        code = p.wait()
        assert code in (0, 1), f"{n} descriptors: exit code {code}\n{p.log()}"
        assert code == 0 or p.log().strip(), f"{n} descriptors: failed without a word"
    eq(code, 0, "with 64 descriptors")


@case
def closed_standard_streams(w):
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        p = w.start("run", "bash", "-c", f"hq run --worker-cpus=1 --detect-resources=none --array=1-3 --stdout=%{{TASK_ID}} "
                    f"--stderr=none -- bash -c 'echo $HQ_TASK_ID; readlink /proc/$$/fd/0 /proc/$$/fd/2' {closed}")
        assert p.wait() in (0, 1), p.log()
        for i in (1, 2, 3):
            eq(w.read(str(i)), f"{i}\n/dev/null\n/dev/null\n", closed)


@case
def output_that_cannot_be_written(w):
    w.server()
    p = w.start("list", "bash", "-c", "hq job list > /dev/full")
    eq(p.wait(), 1)


@case
def server_dir_that_cannot_be_written(w):
    (w.base / "file").touch()
    r = w.hq("server", "start", "--server-dir", w.base / "file/x", rc=1)
    has(r.err, "Not a directory")
    r = w.hq("server", "start", "--server-dir=/proc/x", rc=1)
    has(r.err, "No such file or directory")


@case
def worker_that_cannot_make_its_directory(w):
    w.server()
    r = w.hq("worker", "start", "--cpus=1", "--detect-resources=none", "--work-dir=/proc/x", rc=1)
    has(r.err, "/proc/x")
    r = w.hq("worker", "start", "--cpus=1", "--detect-resources=none", env={"TMPDIR": "/proc/y"}, rc=1)
    has(r.err, "/proc/y")


main()
