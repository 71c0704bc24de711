#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""install_test.py HQ BUILD [CASE...] - what is installed, and that it serves from wherever it is put."""
import os, pathlib, re, shutil, subprocess, sys

from harness import HQ, ROOT, case, eq, has, main

BUILD = pathlib.Path(sys.argv.pop(2)).resolve()
COMPILERS = [c for c in ("gcc", "clang") if shutil.which(c)]
HEADERS = ("hqcore.h", "hqcore/error.h", "hqcore/types.h", "hqcore/tools.h")


def run(*argv, env=None, cwd=None):
    done = subprocess.run([str(a) for a in argv], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


class Tree:
    """An installation below a world's directory."""

    def __init__(self, w):
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", w.base / "dest")
        found = list((w.base / "dest").rglob("libhqcore.pc"))
        eq(len(found), 1, f"libhqcore.pc in {w.base}/dest")
        self.dest = w.base / "dest"
        self.lib = found[0].parents[1]
        self.prefix = next(p.parent for p in self.lib.parents if (p.parent / "bin/hq").exists())
        self.hq = self.prefix / "bin/hq"

    def flags(self, *options):
        env = dict(os.environ, PKG_CONFIG_PATH=str(self.lib / "pkgconfig"))
        return run("pkg-config", *options, "libhqcore", env=env).split()


def submit_example(w, program, tree, hq):
    """The example for a running server, against one."""
    w.start("server", hq, "server", "start")
    w.hq("server", "wait", hq=hq)
    w.start("worker", hq, "worker", "start", "--cpus=2", "--detect-resources=none")
    w.script("task.sh", "#!/bin/sh\necho task $HQ_TASK_ID\n")
    run(program, "1-300", "./task.sh", env=w.environ({}) | {"LD_LIBRARY_PATH": str(tree.lib)}, cwd=w.work)
    eq(len(list((w.work / "job-1").glob("*.stdout"))), 300)
    eq(w.read("job-1/300.stdout"), "task 300\n")
    w.hq("server", "stop", hq=hq)


@case
def files(w):
    tree = Tree(w)
    names = {str(p.relative_to(tree.prefix)) for p in tree.prefix.rglob("*") if not p.is_dir()}
    lib = str(tree.lib.relative_to(tree.prefix))
    for name in ["bin/hq", "libexec/hqcore/hq-helper", f"{lib}/libhqcore.so", f"{lib}/libhqcore.so.0", f"{lib}/libhqcore.a",
                 f"{lib}/pkgconfig/libhqcore.pc", "share/man/man1/hq.1", "share/man/man1/hq-submit.1",
                 "share/man/man1/hq-run.1"] + [f"include/{h}" for h in HEADERS]:
        assert name in names, f"{name} is not installed; there is: {sorted(names)}"
    for name in names:
        assert re.match(rf"bin/|libexec/hqcore/|{lib}/|include/hqcore|share/", name), f"{name}: what is it?"


@case
def symbols(w):
    tree = Tree(w)
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
def headers_alone(w):
    tree = Tree(w)
    include = ["-I", tree.prefix / "include"]
    for compiler in COMPILERS:
        for header in HEADERS:
            for language, standard in (("c", "c99"), ("c", "c11"), ("c++", "c++11"), ("c++", "c++20")):
                source = w.work / "h.c"
                source.write_text(f"#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n")
                run(compiler, "-x", language, f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Werror", *include,
                    "-fsyntax-only", source)


@case
def examples(w):
    tree = Tree(w)
    for i, compiler in enumerate(COMPILERS):
        for name in ("submit_array", "in_process"):
            run(compiler, "-Wall", "-Werror", ROOT / f"examples/{name}.c", "-o", w.base / f"{name}-{compiler}",
                *tree.flags("--cflags", "--libs"))
    submit_example(w, w.base / f"submit_array-{COMPILERS[0]}", tree, tree.hq)
    env = w.environ({"HQ_SERVER_DIR": None}) | {"LD_LIBRARY_PATH": str(tree.lib)}
    for compiler in COMPILERS:
        cwd = w.base / f"in-{compiler}"
        cwd.mkdir()
        shutil.copy(w.work / "task.sh", cwd)
        print(run(w.base / f"in_process-{compiler}", env=env, cwd=cwd), end="")


@case
def static_library(w):
    tree = Tree(w)
    for shared in tree.lib.glob("libhqcore.so*"):
        shared.unlink()
    program = w.base / "static"
    run(COMPILERS[0], ROOT / "examples/submit_array.c", "-o", program, *tree.flags("--static", "--cflags", "--libs"))
    assert "libhqcore" not in run("ldd", program)
    submit_example(w, program, tree, HQ)


@case
def moved_tree(w):
    tree = Tree(w)
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
    tree = Tree(w)
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
    if not shutil.which("pkg-config") or not COMPILERS:
        print("skipped: no compiler or no pkg-config")
        sys.exit(77)
    main()
