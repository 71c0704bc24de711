# SPDX-License-Identifier: MIT
"""installed.py - an installed tree, for tests of what is in it and of what others build against it."""
import os, shutil, subprocess

from harness import ROOT, eq

COMPILERS = [c for c in ("gcc", "clang") if shutil.which(c)]
HEADERS = ("hqcore.h", "hqcore/error.h", "hqcore/types.h", "hqcore/tools.h")


def run(*argv, env=None, cwd=None):
    done = subprocess.run([str(a) for a in argv], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


class Tree:
    """An installation below a world's directory."""

    def __init__(self, w, build):
        run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", w.base / "dest")
        found = list((w.base / "dest").rglob("libhqcore.pc"))
        eq(len(found), 1, f"libhqcore.pc in {w.base}/dest")
        self.dest = w.base / "dest"
        self.lib = found[0].parents[1]
        self.prefix = next(p.parent for p in self.lib.parents if (p.parent / "bin/hq").exists())
        self.hq = self.prefix / "bin/hq"
        self.env = dict(os.environ, PKG_CONFIG_PATH=str(self.lib / "pkgconfig"))

    def has(self, package):
        return (self.lib / "pkgconfig" / f"{package}.pc").exists()

    def flags(self, *options, package="libhqcore"):
        return run("pkg-config", *options, package, env=self.env).split()


def submit_example(w, program, tree, hq):
    """The example for a running server, against one."""
    w.start("server", hq, "server", "start")
    w.hq("server", "wait", hq=hq)
    w.start("worker", hq, "worker", "start", "--cpus=2", "--detect-resources=none")
    run_submit_example(w, program, tree)
    w.hq("server", "stop", hq=hq)


def run_submit_example(w, program, tree):
    w.script("task.sh", "#!/bin/sh\necho task $HQ_TASK_ID\n")
    before = len(list(w.work.glob("job-*")))
    out = run(program, "1-300", "./task.sh", env=w.environ({}) | {"LD_LIBRARY_PATH": str(tree.lib)}, cwd=w.work)
    job = before + 1
    eq(out, f"job {job}: 300 of 300 tasks finished\n")
    eq(len(list((w.work / f"job-{job}").glob("*.stdout"))), 300)
    eq(w.read(f"job-{job}/300.stdout"), "task 300\n")


def example(name):
    return ROOT / "examples" / name
