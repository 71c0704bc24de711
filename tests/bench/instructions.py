# SPDX-License-Identifier: MIT
"""instructions.py HOT_PATHS KEPT COMPILER PROTOBUF_C OPTIONS [--record] - instructions per task of the hot paths,
against kept numbers.

Runs hot_paths.c under callgrind. Instructions do not depend on what else the machine does; they do depend on compiler,
libraries and options, so numbers are compared only where these are as they were; elsewhere the test is skipped and
says so. Not counted: the loader, and libc's functions that exist once for each kind of processor (mem*, str*).

A stage with more than TOLERANCE of its number fails: mend it, or say in the commit why it is worth it. One with less than
its number by BETTER fails as well, so that what was won stays won. Either way numbers are recorded by
`ninja -C BUILD record-instructions`."""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

TOLERANCE, BETTER = 0.05, 0.10
SLACK = 1 # instruction: nothing to argue about
SKIP = 77
PER = {"stage_parse": "ranges", "stage_submit": "submits"} # all others: per task
CHAIN = 60 # callers that are told apart; deeper than anything here
DISPATCHED = re.compile(r"_*(mem|str|wmem|wcs|rawmem)")
LIMIT_S = 110


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def conditions(compiler, protobuf_c, options):
    return {"compiler": compiler, "libc": os.confstr("CS_GNU_LIBC_VERSION"), "options": options,
            "processor": platform.machine(), "protobuf-c": protobuf_c}


def environment():
    """Without what makes malloc do more than it does elsewhere: `meson test` sets MALLOC_PERTURB_ to a number of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}


def profile(program, path):
    """Runs it; how many tasks and ranges there were."""
    argv = ["valgrind", "-q", "--tool=callgrind", "--dump-line=no", "--compress-strings=no", "--compress-pos=no",
            f"--separate-callers={CHAIN}", "--toggle-collect=stage_*", f"--callgrind-out-file={path}", program]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S, env=environment())
    return json.loads(done.stdout)


def costs(lines):
    """(object, function with its callers, instructions) of what each did itself."""
    ob = fn = None
    callee = False
    for line in lines:
        if line.startswith("ob="):
            ob = line[3:].strip()
        elif line.startswith("fn="):
            fn = line[3:].strip().split("'")
        elif line.startswith("calls="):
            callee = True # the next line says what the callee cost, and is counted where that is told
        elif line[:1].isdigit():
            if not callee:
                yield ob, fn, int(line.split()[1])
            callee = False


def is_counted(ob, fn):
    name = pathlib.PurePath(ob).name
    return not name.startswith("ld-linux") and not (name.startswith("libc.") and DISPATCHED.match(fn[0]))


def count(program):
    totals = {}
    with tempfile.TemporaryDirectory(prefix="hq-instructions-") as folder:
        path = pathlib.Path(folder) / "out"
        had = profile(program, path)
        with open(path, encoding="utf-8") as lines:
            for ob, fn, cost in costs(lines):
                stage = next((f for f in fn if f.startswith("stage_")), None)
                if stage and is_counted(ob, fn):
                    totals[stage] = totals.get(stage, 0) + cost
    return {stage: round(total / had[PER.get(stage, "tasks")], 1) for stage, total in sorted(totals.items())}


def complaint(now, was):
    if now > was * (1 + TOLERANCE) + SLACK:
        return "MORE"
    return "much less: record it" if now < was * (1 - BETTER) - SLACK else ""


def compare(now, kept):
    """Prints all stages; the number of those to do something about."""
    bad = 0
    for stage in sorted({*now, *kept}):
        if stage not in now or stage not in kept:
            word = "not there any more" if stage in kept else "not recorded yet"
        else:
            word = complaint(now[stage], kept[stage])
        bad += bool(word)
        print(f"{stage:24} {now.get(stage, '-'):>10} kept {kept.get(stage, '-'):>10}  {word}".rstrip())
    return bad


def main(program, path, compiler, protobuf_c, options, *more):
    here, path = conditions(compiler, protobuf_c, options), pathlib.Path(path)
    kept = json.loads(path.read_text(encoding="utf-8"))
    if not shutil.which("valgrind"):
        skip("there is no valgrind")
    if "--record" in more:
        data = {"conditions": here, "instructions": count(program)}
        path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return
    other = [f"{name} {here[name]} instead of {was}" for name, was in sorted(kept["conditions"].items()) if here[name] != was]
    if other:
        skip(f"the numbers in {path.name} are of another build: {', '.join(other)}")
    bad = compare(count(program), kept["instructions"])
    if bad:
        print(f"{bad} to look at. To record: ninja -C BUILD record-instructions, and say why in the commit")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
