#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - the figures of a build, as run.sh calls it; see docs/benchmarks.md.

    run.py BUILD [--rounds N] [--only FAMILY] [--docs FOLDER]
    run.py BUILD --smoke        tries every program once, with little to do: asserts nothing about times

Prints the table; with --docs writes it to benchmarks.md and benchmarks.json there, unless a family failed: then exits 1."""
import argparse
import pathlib
import signal
import sys
import traceback

import report
from bench import Bench
from rows import command, durable, embed, journal, load, plan, server, spawn, state

FAMILIES = {"spawn": spawn, "command": command, "load": load, "server": server, "plan": plan, "state": state,
            "journal": journal, "durable": durable, "embed": embed}
LIMIT_S = 20 * 60 # of everything: no figure is worth a hung run


def stop(signum, _):
    """Whatever was started is ended on the way out."""
    sys.exit(f"run.py: not done in {LIMIT_S} s" if signum == signal.SIGALRM else "run.py: stopped")


def arguments():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--only", choices=FAMILIES)
    p.add_argument("--docs", type=pathlib.Path, help="where benchmarks.md is")
    p.add_argument("--smoke", action="store_true")
    args = p.parse_args()
    if args.docs and (args.only or args.smoke):
        p.error("only a whole run is written down")
    return args


def measure(bench, only):
    rows, tables, failed = [], [], []
    for name, family in FAMILIES.items():
        if only not in (None, name):
            continue
        try:
            more_rows, more_tables = family.measure(bench)
            rows += more_rows
            tables += more_tables
        except Exception as why: # the other families are worth having
            failed.append(name)
            bench.missing(f"{name} rows", str(why))
            traceback.print_exc()
    return rows, tables, failed


def main():
    args = arguments()
    for s in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(s, stop)
    signal.alarm(LIMIT_S)
    bench = Bench(args.build, 1 if args.smoke else args.rounds, args.smoke)
    try:
        versions = report.versions(bench) # what was built: the tree may move on meanwhile
        rows, tables, failed = measure(bench, args.only)
        text, data = (make(bench, rows, tables, versions) for make in (report.page, report.as_json))
        print(f"{len(rows)} rows, {len(tables)} tables: all programs work" if args.smoke and not failed else text)
        docs = report.try_out(bench.work) if args.smoke else args.docs
        if docs and not failed:
            report.write(docs, text, data)
    finally:
        bench.close()
    sys.exit(1 if failed else 0)


main()
