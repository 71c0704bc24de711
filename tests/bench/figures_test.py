# SPDX-License-Identifier: MIT
"""figures_test.py - what the figures are made with: medians and pairs, goals, the page, the reading of profiles, processes
that do not end."""
import json
import os
import pathlib
import tempfile
import time
import unittest
import unittest.mock

import instructions
import process
import report
from figures import Goal, Row, Series, paired, plain

PROFILE = """\
ob=/x/hot_paths
fn=plan'stage_plan'main
0 10
cob=/lib/libc.so.6
cfn=__memcpy_avx_unaligned'plan'stage_plan'main
calls=2 0
0 400
0 5
fn=stage_plan'main
0 1
ob=/lib/libc.so.6
fn=__memcpy_avx_unaligned'plan'stage_plan'main
0 400
fn=malloc'plan'stage_plan'main
0 7
ob=/lib64/ld-linux-x86-64.so.2
fn=_dl_fixup'plan'stage_plan'main
0 900
"""


class Figures(unittest.TestCase):
    def test_pairs_are_of_one_round(self):
        ratio = paired("", lambda x, y: x / y, Series("s", [1, 20, 300]), Series("s", [2, 40, 600]))
        self.assertEqual(ratio.values, [0.5, 0.5, 0.5])

    def test_median_and_spread(self):
        s = Series("ms", [3.0, 1.0, 200.0])
        self.assertEqual(s.with_spread(), "3.00 ms (1.00 to 200)")
        self.assertEqual(s.as_json(), {"max": 200.0, "median": 3.0, "min": 1.0, "n": 3, "unit": "ms"})

    def test_numbers_as_people_read_them(self):
        self.assertEqual([plain(v) for v in (3, 0.954, 12.34, 1234.5, -0.5)], ["3", "0.95", "12.3", "1,234", "-0.50"])

    def test_goals(self):
        for how, limit, value, met in (("at least", 0.95, 0.95, True), ("at least", 0.95, 0.949, False),
                                       ("at most", 5, 5, True), ("at most", 5, 5.1, False)):
            self.assertEqual(Row("k", "w", Series("", [value]), goal=Goal(how, limit)).is_met, met, (how, value))

    def test_the_goal_is_of_the_judged_figure(self):
        row = Row("k", "w", Series("tasks/s", [100]), Series("", [0.9]), judged_as="of x", goal=Goal("at least", 0.95))
        self.assertEqual(row.cells(), ["w", "100 tasks/s", "0.90 of x", "at least 0.95", "**no**"])


class Page(unittest.TestCase):
    def test_only_what_is_between_the_marks_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            docs = pathlib.Path(folder)
            (docs / "benchmarks.md").write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nbehind\n", encoding="utf-8")
            report.write(docs, "new", json.dumps({}))
            self.assertEqual((docs / "benchmarks.md").read_text(encoding="utf-8"),
                             f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nbehind\n")


class Instructions(unittest.TestCase):
    def test_each_cost_once_and_nothing_that_depends_on_the_processor(self):
        counted = [cost for ob, fn, cost in instructions.costs(PROFILE.splitlines()) if instructions.is_counted(ob, fn)]
        self.assertEqual(counted, [10, 5, 1, 7])

    def test_the_same_under_meson_as_by_hand(self):
        with unittest.mock.patch.dict(os.environ, {"MALLOC_PERTURB_": "109", "PATH": "/bin"}):
            self.assertNotIn("MALLOC_PERTURB_", instructions.environment())
            self.assertEqual(instructions.environment()["PATH"], "/bin")

    def test_what_is_complained_about(self):
        for now, complains in ((100, False), (105, False), (107, True), (92, False), (88, True)):
            self.assertEqual(bool(instructions.complaint(now, 100)), complains, now)


class Processes(unittest.TestCase):
    def test_a_command_that_hangs_is_ended(self):
        start = time.monotonic()
        with self.assertRaisesRegex(process.Failed, "no end in 0.1 s"):
            process.run(["sh", "-c", "sleep 100 & wait"], limit=0.1)
        self.assertLess(time.monotonic() - start, 50)

    def test_a_command_that_fails_says_why(self):
        with self.assertRaisesRegex(process.Failed, "status 3: no such thing"):
            process.run(["sh", "-c", "echo no such thing >&2; exit 3"])

    def test_processor_time_of_a_command(self):
        done = process.run(["sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo $i"])
        self.assertEqual(done.output, "100000\n")
        self.assertGreater(done.cpu, 0.001)


if __name__ == "__main__":
    unittest.main()
