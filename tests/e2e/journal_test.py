#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`hq journal` on files, without a server: what is exported, and what is said of a journal that is damaged."""
import json, os, pathlib, subprocess, sys

from harness import HQ, ROOT, case, eq, has, main

WRITE = pathlib.Path(sys.argv.pop(2)).resolve()  # journal_write
EXAMPLE = (ROOT / "tests/journal/example.ndjson").read_text()


def write(w, name, *args):
    path = w.work / name
    subprocess.run([WRITE, path, *args], check=True, timeout=60)
    return path


def damage(path, at, value=0xff):
    data = bytearray(path.read_bytes())
    data[at] ^= value
    path.write_bytes(data)


def frames(path):
    """Where the frames of a journal begin (lib/journal/frame.h)."""
    data, at, found = path.read_bytes(), 64, []
    while at < len(data):
        found.append(at)
        at += 24 + int.from_bytes(data[at + 4:at + 8], "little")
    return found


@case
def export_prints_what_the_reference_prints(w):
    write(w, "j", "example")
    r = w.hq("journal", "export", "j")
    eq(r.out, EXAMPLE)
    has(r.err, "INFO Outputted 37 events")
    for line in r.lines():  # compact, keys sorted
        eq(json.dumps(json.loads(line), separators=(",", ":"), sort_keys=True), line)
    eq(sorted(p.name for p in w.work.iterdir() if p.name.startswith("j")), ["j"])  # nothing was made beside it


@case
def a_torn_end_is_the_end(w):
    path = write(w, "j", "example")
    data = path.read_bytes()
    path.write_bytes(data[:-5])
    r = w.hq("journal", "export", "j")
    eq(r.lines(), EXAMPLE.splitlines()[:-1])  # the last record is the stop
    r = w.hq("journal", "verify", "j")
    has(r.out, f"The last {len(path.read_bytes()) - frames(path)[-1]} bytes, from byte {frames(path)[-1]}, are no whole record",
        "Nothing is damaged")
    path.write_bytes(b"")
    eq(w.hq("journal", "export", "j").out, "")
    has(w.hq("journal", "verify", "j").out, "Journal of server (none yet): 0 records")


@case
def what_cannot_be_opened(w):
    r = w.hq("journal", "export", "missing.bin", rc=1)
    eq(r.err, "Cannot open event log file at `missing.bin`: No such file or directory (os error 2)\n")
    (w.work / "bad.bin").write_text("hello world this is not a journal\n")
    for command in ("export", "verify", "repair"):
        r = w.hq("journal", command, "bad.bin", rc=1)
        eq(r.err, "Cannot open event log file at `bad.bin`: Invalid journal format\n")
    has(w.hq("journal", "export", ".", rc=1).err, "Is a directory")
    eq(json.loads(w.hq("journal", "verify", "bad.bin", "--output-mode=json", rc=1).out),
       {"error": "Cannot open event log file at `bad.bin`: Invalid journal format"})


@case
def damage_in_the_middle_is_told_and_repaired(w):
    path = write(w, "j", "5", "200")
    whole = w.hq("journal", "export", "j").lines()
    at = frames(path)
    bad = 1  # the first worker joins: all that it did is lost with that
    damage(path, at[bad] + 30)
    before = path.read_bytes()
    r = w.hq("journal", "export", "j", rc=1)
    has(r.err, "Encountered an error while reading event log file: ", f"damaged from byte {at[bad]} to {at[bad + 1]}")
    eq(r.lines(), whole[:len(r.lines())])

    r = w.hq("journal", "verify", "j", rc=1)
    has(r.out, "Lost with them: ", f"Damaged from byte {at[bad]} to {at[bad + 1]}: {at[bad + 1] - at[bad]} bytes")
    v = json.loads(w.hq("journal", "verify", "j", "--output-mode=json", rc=1).out)
    assert v["lost_facts"] > 0
    eq((v["damages"], v["damaged_bytes"], v["records"]), ([{"from": at[bad], "to": at[bad + 1]}], at[bad + 1] - at[bad], len(at) - 1))

    r = w.hq("journal", "repair", "j")
    has(r.err, "What is good was saved as j.repaired")
    eq(path.read_bytes(), before)
    r = w.hq("journal", "verify", "j.repaired")
    has(r.out, "Nothing is damaged", "Journal of server abcdef: ")
    kept = w.hq("journal", "export", "j.repaired").lines()
    eq(kept[0], whole[0])
    assert 20 < len(kept) < len(whole), (len(kept), len(whole))
    has(w.hq("journal", "repair", "j", rc=1).err, "j.repaired exists already")
    has(w.hq("journal", "repair", "j.repaired").out, "Nothing is damaged")
    assert not (w.work / "j.repaired.repaired").exists()


@case
def a_damaged_header_is_repaired(w):
    for at in (9, 13, 20, 33, 57):
        path = write(w, f"j{at}", "example")
        damage(path, at)
        r = w.hq("journal", "export", path.name, rc=1)
        has(r.err, f"Cannot open event log file at `{path.name}`: its header is damaged")
        has(w.hq("journal", "verify", path.name, rc=1).out, "Its header is damaged", "Journal of server abcdef: ")
        w.hq("journal", "repair", path.name)
        eq(w.hq("journal", "export", path.name + ".repaired").out, EXAMPLE)


def report_data(w, *args):
    r = w.hq("journal", "report", "j", "out.html", *args)
    eq((r.out, r.err), ("", ""))
    page = w.read("out.html")
    has(page, "<title>HQ Journal Report</title>", "https://cdn.plot.ly/plotly-3.1.0.min.js", 'id="globalChart"', 'id="countsChart"',
        'id="durationsChart"')
    return json.loads(page.split('id="data">\n')[1].split("\n</script>")[0])


@case
def report_shows_what_the_events_say(w):
    write(w, "j", "example")  # its tasks end the moment they start, but for one whose worker is lost
    data = report_data(w)
    eq(data["cards"], [{"title": "Server started", "text": "2023-11-14 22:13:20 UTC"}])
    eq(data["terms"], ["cpus: 1 compact", "cpus: 100 compact"])
    eq((data["finished"], data["failed"]), ([4, 0], [3, 0]))
    eq(data["durations"], [{"name": "Finished T1", "y": [0.0] * 4}, {"name": "Failed T1", "y": [0.0, 0.0, 0.01]}])
    running, cpus = data["workers"]
    eq(running, {"name": "Running workers cpus:4", "x": [0.0, 0.78, 0.79], "y": [1.0, 0.0, 0.0]})
    eq(cpus, {"name": "cpus alloc on cpus:4", "x": [0.0, 0.1, 0.35, 0.6, 0.77, 0.78, 0.79], "y": [0.0, 0.0, 0.0, 0.0, 0.25, 0.0, 0.0]})


@case
def report_of_a_part(w):
    write(w, "j", "example")
    data = report_data(w, "--end-time=0")
    eq(data["cards"][1], {"title": "Time filtering", "text": "upto 0s"})
    eq((data["finished"], data["workers"][0]["y"]), ([0], [1.0]))
    data = report_data(w, "--start-time=1s", "--end-time=1m 30s")  # all is over by then
    eq(data["cards"][1]["text"], "between 1s and 1m 30s")
    eq((data["finished"], data["failed"], data["durations"]), ([0, 0], [0, 0], []))
    eq(data["workers"][0], {"name": "Running workers cpus:4", "x": [1.0], "y": [0.0]})
    eq(report_data(w, "--start-time=1:00")["cards"][1]["text"], "since 1m")


@case
def report_of_what_ran(w):
    s = w.server("--journal=j")
    w.worker("--resource=gpus=[a,b]", cpus=4)
    w.hq("submit", "--wait", "--array=1-2", "--name=</script>", "--", "sleep", "0.1")
    w.hq("submit", "--wait", "--cpus=2 compact!", "--resource=gpus=1", "--time-request=1m", "--", "bash", "-c", "sleep 0.1; exit 1")
    whole = w.submit("--cpus=all", "--", "sleep", "100")
    w.await_running(whole)
    w.hq("job", "cancel", whole)
    w.stop(s)
    data = report_data(w)
    eq(data["terms"], ["cpus: 1 compact", "cpus: 2 compact!, gpus: 1 compact, min_time: 1m", "cpus: all"])
    eq((data["finished"], data["failed"]), ([2, 0, 0], [0, 1, 0]))
    eq([t["name"] for t in data["durations"]], ["Finished T1", "Failed T2"])
    assert all(0.1 <= y < 10 for y in data["durations"][0]["y"]), data["durations"]
    eq([t["name"] for t in data["workers"]],
       ["Running workers cpus:4, gpus:2", "cpus alloc on cpus:4, gpus:2", "gpus alloc on cpus:4, gpus:2"])
    for t in data["workers"]:
        eq((t["x"], t["y"][0], t["y"][-1]), (sorted(t["x"]), 0.0, 0.0))
    eq([max(t["y"]) for t in data["workers"]], [1.0, 1.0, 0.5])


@case
def report_that_cannot_be_made(w):
    r = w.hq("journal", "report", "missing.bin", "out.html", rc=1)
    eq(r.err, "Cannot open event log file at `missing.bin`: No such file or directory (os error 2)\n")
    (w.work / "empty").touch()
    eq(w.hq("journal", "report", "empty", "out.html", rc=1).err, "Empty journal\n")
    path = write(w, "j", "example")
    eq(w.hq("journal", "report", "j", "no/out.html", rc=1).err,
       "Cannot create report file at `no/out.html`: No such file or directory (os error 2)\n")
    eq(w.hq("journal", "report", "j", "/dev/full", rc=1).err,
       "Cannot write report file at `/dev/full`: No space left on device (os error 28)\n")
    damage(path, frames(path)[3] + 30)
    has(w.hq("journal", "report", "j", "out.html", rc=1).err, 
        "Encountered an error while reading event log file: damaged from byte")
    path = write(w, "k", "example")
    damage(path, frames(path)[0] + 30)
    w.hq("journal", "repair", "k")
    eq(w.hq("journal", "report", "k.repaired", "out.html", rc=1).err, "Journal does not start with server start event\n")
    assert not (w.work / "out.html").exists()


@case
def stdout_that_is_closed(w):
    write(w, "j", "5", "300")
    r = subprocess.run(["bash", "-c", f"'{HQ}' journal export j | head -1"], cwd=w.work, env=w.env, timeout=30,
                       stdout=subprocess.PIPE)
    eq((r.returncode, r.stdout.count(b"\n")), (0, 1))


main()
