#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""consumers_test.py HQ BUILD [CASE...] - projects of others, built against an installed tree: by pkg-config and make, CMake,
meson; in C, C++ and Fortran; with the shared and with the static library."""
import pathlib, shutil, sys

from harness import HQ, ROOT, Skip, case, main
from installed import COMPILERS, HEADERS, Tree, example, run, run_submit_example, submit_example

BUILD = pathlib.Path(sys.argv.pop(2)).resolve()
CXX = {"gcc": "g++", "clang": "clang++"}
STRICT = ("-pedantic", "-Wall", "-Wextra", "-Werror")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} not found")


def compile_all(w, tree, source, package, compilers, standards):
    """With each compiler and standard; the last program."""
    for compiler in compilers:
        for standard in standards:
            program = w.base / f"{source.suffix[1:]}-{compiler}-{standard}"
            run(compiler, f"-std={standard}", *STRICT, source, "-o", program, *tree.flags("--cflags", "--libs", package=package))
    return program


@case
def headers_alone(w):
    tree = Tree(w, BUILD)
    for compiler in COMPILERS:
        for header in HEADERS:
            for language, standard in (("c", "c99"), ("c", "c11"), ("c++", "c++11"), ("c++", "c++20")):
                source = w.work / "h.c"
                source.write_text(f"#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n")
                run(compiler, "-x", language, f"-std={standard}", *STRICT, "-I", tree.prefix / "include", "-fsyntax-only", source)


@case
def c(w):
    tree = Tree(w, BUILD)
    program = compile_all(w, tree, example("submit_array.c"), "libhqcore", COMPILERS, ["c99", "c11"])
    submit_example(w, program, tree, tree.hq)
    env = w.environ({"HQ_SERVER_DIR": None}) | {"LD_LIBRARY_PATH": str(tree.lib)}
    for compiler in COMPILERS:
        evented = w.base / f"in_process-{compiler}"
        run(compiler, "-Wall", "-Werror", example("in_process.c"), "-o", evented, *tree.flags("--cflags", "--libs"))
        print(run(evented, env=env, cwd=w.work), end="")


@case
def cpp(w):
    need("g++")
    tree = Tree(w, BUILD)
    compilers = [CXX[c] for c in COMPILERS if shutil.which(CXX[c])]
    program = compile_all(w, tree, example("submit_array.cpp"), "libhqcore-cpp", compilers, ["c++11", "c++20"])
    submit_example(w, program, tree, tree.hq)


@case
def fortran(w):
    need("gfortran")
    tree = Tree(w, BUILD)
    if not tree.has("libhqcore-fortran"):
        raise Skip("built without a Fortran compiler")
    program = w.base / "fortran"
    run("gfortran", "-std=f2008", *STRICT, example("submit_array.f90"), "-o", program,
        *tree.flags("--cflags", "--libs", package="libhqcore-fortran"))
    submit_example(w, program, tree, tree.hq)
    sources = pathlib.Path(tree.flags("--variable=sources", package="libhqcore-fortran")[0])
    run("gfortran", "-fsyntax-only", sources / "hqcore_c.f90", sources / "hqcore.f90", cwd=w.work)  # another compiler's way


@case
def static_libraries(w):
    tree = Tree(w, BUILD)
    for shared in tree.lib.glob("libhqcore.so*"):
        shared.unlink()
    programs = []
    for compiler, source, package in (("gcc", "submit_array.c", "libhqcore"), ("g++", "submit_array.cpp", "libhqcore-cpp"),
                                      ("gfortran", "submit_array.f90", "libhqcore-fortran")):
        if not shutil.which(compiler) or not tree.has(package):
            print(f"without {compiler}")
            continue
        programs.append(w.base / f"static-{compiler}")
        run(compiler, example(source), "-o", programs[-1], *tree.flags("--static", "--cflags", "--libs", package=package))
        assert "libhqcore" not in run("ldd", programs[-1])
    w.start("server", HQ, "server", "start")
    w.hq("server", "wait")
    w.start("worker", HQ, "worker", "start", "--cpus=2", "--detect-resources=none")
    for program in programs:
        run_submit_example(w, program, tree)
    w.hq("server", "stop")


@case
def make(w):
    need("make")
    tree = Tree(w, BUILD)
    folder = w.base / "project"
    folder.mkdir()
    shutil.copy(example("submit_array.c"), folder)
    (folder / "Makefile").write_text("CFLAGS += -std=c11 -Wall -Werror $(shell pkg-config --cflags libhqcore)\n"
                                     "LDLIBS += $(shell pkg-config --libs libhqcore)\nsubmit_array: submit_array.c\n")
    run("make", "-C", folder, env=tree.env)
    submit_example(w, folder / "submit_array", tree, tree.hq)


@case
def cmake(w):
    need("cmake", "g++")
    tree = Tree(w, BUILD)
    folder = w.base / "project"
    folder.mkdir()
    shutil.copy(example("submit_array.c"), folder)
    shutil.copy(example("submit_array.cpp"), folder)
    (folder / "CMakeLists.txt").write_text("""
cmake_minimum_required(VERSION 3.16)
project(consumer C CXX)
set(CMAKE_CXX_STANDARD 11)
find_package(PkgConfig REQUIRED)
pkg_check_modules(hqcore REQUIRED IMPORTED_TARGET libhqcore)
pkg_check_modules(hqcore_cpp REQUIRED IMPORTED_TARGET libhqcore-cpp)
add_executable(in_c submit_array.c)
target_link_libraries(in_c PkgConfig::hqcore)
add_executable(in_cpp submit_array.cpp)
target_link_libraries(in_cpp PkgConfig::hqcore_cpp)
""")
    run("cmake", "-S", folder, "-B", folder / "build", env=tree.env)
    run("cmake", "--build", folder / "build", env=tree.env)
    assert (folder / "build/in_c").exists()
    submit_example(w, folder / "build/in_cpp", tree, tree.hq)


MESON = """
project('consumer', 'c', default_options: 'c_std=c11')
executable('submit_array', 'submit_array.c', dependencies: dependency('libhqcore'{fallback}))
"""


def meson_project(w, fallback):
    folder = w.base / "project"
    folder.mkdir()
    shutil.copy(example("submit_array.c"), folder)
    (folder / "meson.build").write_text(MESON.format(fallback=fallback))
    return folder


@case
def meson(w):
    tree = Tree(w, BUILD)
    folder = meson_project(w, "")
    run("meson", "setup", folder / "build", folder, env=tree.env)
    run("ninja", "-C", folder / "build")
    submit_example(w, folder / "build/submit_array", tree, tree.hq)


@case
def meson_subproject(w):
    """The library is built with its user, which gets the library and the helper, and neither tests nor examples."""
    folder = meson_project(w, ", fallback: 'libhqcore'")
    (folder / "subprojects").mkdir()
    (folder / "subprojects/libhqcore").symlink_to(ROOT)
    run("meson", "setup", folder / "build", folder, "--force-fallback-for=libhqcore")
    targets = run("ninja", "-C", folder / "build", "-t", "targets", "all")
    assert "tests/" not in targets and "examples/" not in targets, "a subproject builds tests or examples"
    run("ninja", "-C", folder / "build", "submit_array", "subprojects/libhqcore/lib/helper/hq-helper")


if __name__ == "__main__":
    if not shutil.which("pkg-config") or not COMPILERS:
        print("skipped: no compiler or no pkg-config")
        sys.exit(77)
    main()
