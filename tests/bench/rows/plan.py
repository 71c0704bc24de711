# SPDX-License-Identifier: MIT
"""The scheduler alone in a large cluster: what plan_bench prints."""
import json

import process
from figures import Goal, Row, Series

TIMES, CALLS = 5, 200
LIMIT_S = 300


def measure(bench):
    slow, usual = {}, {}
    for _ in bench.each(bench.size(TIMES, 1), "the scheduler alone"):
        told = json.loads(process.run([bench.programs / "plan_bench", bench.size(CALLS, 1)], limit=LIMIT_S).output)
        for priorities, us in told["priorities"].items():
            slow.setdefault(priorities, Series("ms")).add(us["p99_us"] / 1000)
            usual.setdefault(priorities, Series("ms")).add(us["p50_us"] / 1000)
    sizes = "{workers:,} workers, {classes} request classes, {waiting:,} waiting tasks".format(**told)
    what = f"a scheduling call, 99th percentile: {sizes}"
    return [Row(f"plan_{p}", f"{what}, priorities: {p}", slow[p], goal=Goal("at most", 5, "ms"),
                beside=[("median call", usual[p])]) for p in slow], []
