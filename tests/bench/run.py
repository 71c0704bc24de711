#!/usr/bin/env python3
"""run.py BUILD_DIR [ROUNDS] - figures of the main job, as ratios within one run, as a Markdown table on stdout.

Real processes against a bare posix_spawn loop of the same parallelism, in paired rounds; whole commands against
`hq --version`. One server and one worker on this machine; build with --buildtype=release.
"""
import os, pathlib, platform, statistics, subprocess, sys, tempfile, time

build = pathlib.Path(sys.argv[1]).resolve()
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
hq, loop = build / "cli/hq", build / "tests/bench/spawn_loop"
CPUS = len(os.sched_getaffinity(0))
TASKS = 4000
work = pathlib.Path(tempfile.mkdtemp(prefix="hq-bench-"))
env = dict(os.environ, HQ_SERVER_DIR=str(work / "server"))


def run(*args):
    start = time.perf_counter()
    out = subprocess.run([hq, *args], env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    if out.returncode:
        sys.exit(f"hq {args}: {out.stderr}")
    return time.perf_counter() - start, out.stdout


def median_ms(*args, n=15):
    return statistics.median(run(*args)[0] for _ in range(n)) * 1000


def bare(files):
    out = subprocess.run([loop, str(TASKS), str(CPUS), *(["--files", str(work)] if files else []), "/bin/true"], cwd=work, check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return float(out.split()[0])


def ours(files):
    out = [] if files else ["--stdout=none", "--stderr=none"]
    seconds, _ = run("submit", "--wait", "--array", f"1-{TASKS}", *out, "/bin/true")
    return TASKS / seconds


def rss(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])


rows = []
server = subprocess.Popen([hq, "server", "start"], env=env, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
run("server", "wait")

# without a worker: whole commands
version = median_ms("--version")
rows.append(("`hq --version`", f"{version:.1f} ms", ""))
before = rss(server.pid)
submit, cancel, listing = [], [], []
for _ in range(9):
    submit.append(run("submit", "--array", "1-10000000", "/bin/true")[0])
    listing.append(run("job", "list")[0])
    cancel.append(run("job", "cancel", "last")[0])
grown = rss(server.pid) - before
for name, v in (("submit 10,000,000 tasks", submit), ("list that job", listing), ("cancel them", cancel)):
    ms = statistics.median(v) * 1000
    rows.append((name, f"{ms:.1f} ms", f"{ms - version:+.1f} ms over `hq --version`"))
rows.append(("server memory after nine such arrays", f"{grown} KiB more", ""))

worker = subprocess.Popen([hq, "worker", "start"], env=env, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
run("worker", "wait", "1")
rows.append(("`hq submit --wait /bin/true`", f"{median_ms('submit', '--wait', '--stdout=none', '--stderr=none', '/bin/true'):.1f} ms", ""))
for files in (False, True):
    pairs = [(bare(files), ours(files)) for _ in range(rounds)]
    ratio = statistics.median(o / b for b, o in pairs)
    b, o = (statistics.median(x) for x in zip(*pairs))
    rows.append((f"`/bin/true` tasks/s, {'two output files each' if files else 'no output files'}, {CPUS} cpus", f"{o:,.0f}",
                 f"{ratio:.2f} of a bare posix_spawn loop ({b:,.0f})"))
run("server", "stop")
worker.wait(10)
server.wait(10)

cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
print(f"{CPUS} cpus, {cpu}, Linux {platform.release().split('-')[0]}; medians of {rounds} paired rounds or 9 to 15 commands.\n")
print("| what | measured | against |\n|---|---|---|")
for row in rows:
    print("| " + " | ".join(row) + " |")
