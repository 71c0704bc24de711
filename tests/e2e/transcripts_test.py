#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole sessions of commands, compared with what users of the reference know, byte for byte.

transcripts/*.txt are scenarios with their expected output in place, one case each:

    @# a comment
    @server ARGS...          start a server in the background, and wait for it
    @worker NAME ARGS...     start a worker with that host name, and wait until it is registered
    @sh COMMAND              run by bash, in silence; it must succeed
    @running JOB N           wait until N tasks of the job run
    @worker-state ID STATE   wait until the worker has that state
    $ COMMAND                run by bash; what follows is its stdout, its stderr behind `2> `, and `[exit N]` when N is not 0

A case replays its file and compares the whole; the difference is shown as a patch of the file. Times, pids, ports and
directories are replaced by words ($ISO, #, $DIR, ...). Tables are checked before (each column is as wide as its widest cell,
no wider), then drawn anew around the words, so that their shape is compared too.
"""
import difflib, pathlib, re, subprocess

from harness import CASES, SLOW, eq, free_port, main, text

# What a worker says of some machines only.
MACHINE = re.compile(r"\S+ INFO (Detected (GPUs .*|\d+ NVIDIA GPUs .*)|Some cores were filtered by a CPU mask\..*)")
FILES = pathlib.Path(__file__).resolve().parent / "transcripts"
COMMAND_S = 30.0
BORDER = re.compile(r"\+(-+\+)+")
VOLATILE = {"Server UID": r"\w{6}", "Client port": r"\d+", "Worker port": r"\d+", "Pid": r"\d+", "Process pid": r"\d+",
            "Makespan": r"\d+(ms|s|m|h)( \d+(ms|s|m))*"}


# ---- tables

def cells_of(line, widths):
    """Cells of a row, whose columns must be as wide as the border says."""
    cells, at = [], 0
    for w in widths:
        eq(line[at:at + 2], "| ", f"start of a cell of {line!r}")
        cells.append(line[at + 2:at + 1 + w])
        at += w + 1
    eq(line[at:], "|", f"end of the row {line!r}")
    return cells


def put_words(rows, headed):
    """In place of what differs from run to run: in a row that is named so, or below such a header."""
    for row in rows[1:] if headed else rows:
        for i, cell in enumerate(row):
            name = rows[0][i] if headed else row[0] if i > 0 else ""
            if name in VOLATILE and re.fullmatch(VOLATILE[name], cell):
                row[i] = "#"


def redraw(lines, w):
    """A table with words in place of what differs; it must have been drawn as narrow as possible."""
    widths = [len(part) for part in lines[0][1:-1].split("+")]
    rows = [None if BORDER.fullmatch(line) else cells_of(line, widths) for line in lines]
    body = [row for row in rows if row]
    right = [any(row[i].startswith(" ") and row[i].strip() for row in body) for i in range(len(widths))]
    for row in body:
        row[:] = [cell.strip() for cell in row]
    eq([max(len(row[i]) + 2 for row in body) for i in range(len(widths))], widths, "widths of\n" + "\n".join(lines))
    put_words(body, rows.count(None) == 3 or len(rows) == 3)
    for row in body:
        row[:] = [words(cell, w) for cell in row]
    widths = [max(len(row[i]) for row in body) for i in range(len(widths))]
    border = "+" + "".join("-" * (n + 2) + "+" for n in widths)

    def draw(row):
        return "|" + "".join(f" {c.rjust(n) if r else c.ljust(n)} |" for c, n, r in zip(row, widths, right))
    return [draw(row) if row else border for row in rows]


def table_end(lines):
    """Where the table that starts with lines[0] ends: behind a border that no row follows."""
    for i in range(1, len(lines)):
        if BORDER.fullmatch(lines[i]) and not "".join(lines[i + 1:i + 2]).startswith("|"):
            return i + 1
    return len(lines)


# ---- what differs from run to run

def words(line, w):
    line = line.replace(str(w.base), "$DIR").replace(w.version, "$VERSION")
    for pattern, word in (
            (rf"(?<!\w){re.escape(w.host)}(?!\w)", "$HOST"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:\d\d)", "$ISO"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d", "$DATE"),
            (r'(?<="pid": )\d+|(?<="client_port": )\d+|(?<="worker_port": )\d+', "$NUM"),
            (r'(?<="server_uid": ")\w{6}(?=")|(?<="server_uid":")\w{6}(?=")', "$UID"),
            (r'(?<="ProcessPid":")\d+(?=")', "$NUM"),
            (r"/hq-worker\w+/", "/hq-worker$N/"),
            (r"\d{7,}B of memory \(\d+(\.\d+)? [GM]iB\)", "$BYTES of memory ($SIZE)")):
        line = re.sub(pattern, lambda _: word, line)
    line = re.sub(r"(\r\x1b\[2K[^\r]*)+(\r\x1b\[2K)", r"\2", line)  # only the last picture of a progress bar
    return line.replace("\r", "\\r").replace("\x1b", "\\e")


def normalized(out, w):
    """Lines of the output, without what differs from run to run."""
    lines, got = out.split("\n"), []
    if not lines[-1]:
        lines.pop()
    else:
        lines[-1] += "[no newline]"
    while lines:
        n = table_end(lines) if BORDER.fullmatch(lines[0]) and "".join(lines[1:2]).startswith("|") else 1
        got += redraw(lines[:n], w) if n > 1 else [words(lines[0], w)]
        del lines[:n]
    return got


# ---- scenarios

def run(w, command):
    done = subprocess.run(["bash", "-c", command], env=w.environ(None), cwd=w.work, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=COMMAND_S * SLOW)
    err = normalized("".join(line for line in text(done.stderr).splitlines(True) if not MACHINE.match(line)), w)
    return [*normalized(text(done.stdout), w), *("2> " + line for line in err),
            *([f"[exit {done.returncode}]"] if done.returncode else [])]


def do(w, line):
    verb, *args = line.split()
    if verb == "@#":
        return
    if verb == "@server":
        w.server(*args)
    elif verb == "@worker":
        w.worker(f"--hostname={args[0]}", "--detect-resources=none", *args[1:], cpus=None)
    elif verb == "@sh":
        subprocess.run(["bash", "-c", line[4:]], env=w.environ(None), cwd=w.work, check=True, stdin=subprocess.DEVNULL)
    elif verb == "@running":
        w.await_running(int(args[0]), int(args[1]))
    elif verb == "@worker-state":
        w.await_worker(int(args[0]), " ".join(args[1:]))
    else:
        raise AssertionError(f"no such directive: {line}")


def replay(w, path):
    w.env |= {"TZ": "UTC", "PORT_A": str(free_port()), "PORT_B": str(free_port())}
    w.version = w.hq("--version").out.split()[1]
    w.host = subprocess.run(["uname", "-n"], stdout=subprocess.PIPE, text=True).stdout.strip()
    expected, got = path.read_text().split("\n")[:-1], []
    for line in expected:
        if line.startswith(("@", "$ ")):
            got.append(line)
        if line.startswith("@"):
            do(w, line)
        elif line.startswith("$ "):
            got += run(w, line[2:])
    if got != expected:
        names = (f"{side}/tests/e2e/transcripts/{path.name}" for side in "ab")
        diff = difflib.unified_diff(expected, got, *names, lineterm="")
        raise AssertionError("\n" + "\n".join(diff))


def make_case(path):
    def function(w):
        replay(w, path)
    function.__name__ = path.stem.replace("-", "_")
    return function


CASES += [make_case(path) for path in sorted(FILES.glob("*.txt"))]
main()
