#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""install_test.py HQ BUILD [CASE...] - what is installed, and that it serves from wherever it is put."""
import os, pathlib, re, shutil, subprocess, sys

from harness import ROOT, case, eq, has, main
from installed import HEADERS, Tree, run

BUILD = pathlib.Path(sys.argv.pop(2)).resolve()


@case
def files(w):
    tree = Tree(w, BUILD)
    names = {str(p.relative_to(tree.prefix)) for p in tree.prefix.rglob("*") if not p.is_dir()}
    lib = str(tree.lib.relative_to(tree.prefix))
    for name in ["bin/hq", "libexec/hqcore/hq-helper", f"{lib}/libhqcore.so", f"{lib}/libhqcore.so.0", f"{lib}/libhqcore.a",
                 f"{lib}/pkgconfig/libhqcore.pc", "share/man/man1/hq.1", "share/man/man1/hq-submit.1",
                 "share/man/man1/hq-run.1", "include/hqcore.hpp", "share/hqcore/fortran/hqcore.f90",
                 f"{lib}/pkgconfig/libhqcore-cpp.pc"] + [f"include/{h}" for h in HEADERS]:
        assert name in names, f"{name} is not installed; there is: {sorted(names)}"
    for name in names:
        assert re.match(rf"bin/|libexec/hqcore/|{lib}/|include/hqcore|share/", name), f"{name}: what is it?"


@case
def symbols(w):
    tree = Tree(w, BUILD)
    so = tree.lib / "libhqcore.so"
    exported = re.findall(r" [A-Z] (\S+)$", run("nm", "-D", "--defined-only", so), re.M)
    exported = [s.split("@")[0] for s in exported]
    odd = [s for s in exported if not re.match(r"hq_|HQCORE", s)]
    eq(odd, [], "exported besides hq_*")
    assert "hq_ctx_new" in exported and len([s for s in exported if not s.startswith("hq_tools_")]) <= 84, exported
    has(run("readelf", "-d", so), "soname: [libhqcore.so.0]")
    header = "".join((ROOT / "include" / h).read_text() for h in HEADERS)
    declared = set(re.findall(r"HQ_API[^;(]*?\b(hq_\w+)\(", header))
    eq(sorted(declared - set(exported)), [], "declared and not there")
    eq(sorted(set(s for s in exported if s.startswith("hq_")) - declared), [], "there and not declared")


@case
def moved_tree(w):
    tree = Tree(w, BUILD)
    moved = w.base / "somewhere else"
    shutil.move(tree.prefix, moved)
    shutil.rmtree(tree.dest)
    hq = moved / "bin/hq"
    w.hq("run", "--worker-cpus=2", "--detect-resources=none", "--array=1-10", "--stdout=%{TASK_ID}", "--", "bash", "-c",
         "echo $HQ; readlink /proc/$PPID/exe", hq=hq, env={"LD_LIBRARY_PATH": None})
    for i in range(1, 11):
        eq(w.read(str(i)).splitlines(), [str(hq), str(moved / "libexec/hqcore/hq-helper")])
    link = w.base / "hq"
    link.symlink_to(hq)
    w.hq("run", "--worker-cpus=1", "--detect-resources=none", "true", hq=link)


@case
def manual_pages(w):
    tree = Tree(w, BUILD)
    pages = sorted((tree.prefix / "share/man/man1").iterdir())
    for page in pages:
        text = page.read_text()
        has(text, ".TH ", ".SH NAME", ".SH SYNOPSIS")
    if shutil.which("man"):
        for page in pages:
            done = subprocess.run(["man", "--warnings", "-l", page], env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="100"),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            eq((done.returncode, done.stderr), (0, ""), page.name)


if __name__ == "__main__":
    main()
