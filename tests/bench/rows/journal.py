# SPDX-License-Identifier: MIT
"""The journal alone, without server or messages: what journal_bench prints."""
import process
from figures import Goal, Row, Series

TIMES = 5
WHATS = {
    "append_and_sync_1e6": ("the journal alone: writing 10^6 tasks, until they are synced", None),
    "append_1e6": ("the journal alone: encoding, appending and writing, processor time", None),
    "restore_1e6": ("the journal alone: restoring 10^6 finished tasks, processor time", Goal("at most", 100, "ms")),
    "compact_1e6": ("the journal alone: compacting them, in the writer's thread, processor time", None),
    "bytes_per_finished_task": ("the journal alone: size of a finished task", Goal("at most", 8, "bytes")),
}


def measure(bench):
    series = {}
    for _ in bench.each(bench.size(TIMES, 1), "the journal alone"):
        for line in process.run([bench.programs / "journal_bench"]).output.splitlines():
            name, value, unit = line.split()
            series.setdefault(name, Series(unit)).add(float(value))
    return [Row(f"journal_{name}", WHATS[name][0], s, goal=WHATS[name][1]) for name, s in series.items()], []
