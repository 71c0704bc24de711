# SPDX-License-Identifier: MIT
"""The state alone, without server, messages or processes: what state_bench prints."""
import process
from figures import Goal, Row, Series

TIMES = 5
WHATS = {
    "handout_ended_1e6": ("the state alone: handing a task out and recording its end, 10^6 tasks", None),
    "handout_ended_1e6_64k_out": ("the same, 65,536 out at any time", None),
    "handout_ended_1e7": ("the same, 10^7 tasks", None),
    "bytes_per_finished_task": ("the state alone: memory of a finished task, slope between 10^6 and 10^7",
                                Goal("at most", 17, "bytes")),
    "submit_cancel_1e9": ("the state alone: submitting and cancelling 10^9 tasks", None),
    "bytes_waiting_1e9": ("the state alone: memory with 10^9 waiting tasks", Goal("at most", 1 << 20, "bytes")),
}


def measure(bench):
    series = {}
    for _ in bench.each(bench.size(TIMES, 1), "the state alone"):
        for line in process.run([bench.programs / "state_bench"]).output.splitlines():
            name, value, unit = line.split()
            series.setdefault(name, Series(unit)).add(float(value))
    return [Row(f"state_{name}", WHATS[name][0], s, goal=WHATS[name][1]) for name, s in series.items()], []
