# SPDX-License-Identifier: MIT
"""Real processes: /bin/true, as many at a time as there are cpus, against a bare posix_spawn loop and other programs.

Rounds are paired: loop, hq, loop again, then the others; each figure of a round is divided by the mean of its two loops, so
that what the machine does meanwhile cancels, and the loop against itself tells what is left of it."""
import peers
import process
from bench import Cluster
from figures import Goal, Row, Series, Table, paired

HQ = "hq"
MANY_CPUS = 16 # a measurement has more tasks where there are more cpus, up to here


class Ours:
    """One `hq submit --wait` of an array, whole command, on a running server and worker."""
    name, tasks = HQ, peers.BareLoop.tasks

    def __init__(self, bench, cluster):
        self.cluster = cluster
        self.pids = [cluster.server.pid, *cluster.worker_side()]

    def run(self, tasks, folder):
        files = [] if folder else ["--stdout=none", "--stderr=none"]
        before = {pid: process.cpu_seconds(pid) for pid in self.pids}
        done = self.cluster.hq("submit", "--wait", "--array", f"1-{tasks}", *files, peers.TRUE, cwd=folder)
        used = {pid: process.cpu_seconds(pid) - before[pid] for pid in self.pids}
        self.worker_side = sum(used.values()) - used[self.cluster.server.pid]
        return done.seconds, done.cpu + sum(used.values())


def tasks_of(bench, who):
    return bench.size(who.tasks * min(bench.cpus, MANY_CPUS), 20)


class Contest:
    """What each contestant did, round by round, as (tasks per second, processor microseconds per task)."""

    def __init__(self, bench, cluster, others, files):
        self.bench, self.files, self.others = bench, files, others
        self.bare, self.ours = peers.BareLoop(bench), Ours(bench, cluster)
        self.rate, self.cpu = {}, {}
        self.beyond = Series("us") # worker and helpers, beyond the loop

    def one(self, who, name=None):
        tasks = tasks_of(self.bench, who)
        with self.bench.folder("files") as folder:
            seconds, cpu = who.run(tasks, folder if self.files else None)
        self.rate.setdefault(name or who.name, Series("tasks/s")).add(tasks / seconds)
        self.cpu.setdefault(name or who.name, Series("us")).add(cpu * 1e6 / tasks)
        return cpu * 1e6 / tasks

    def round(self):
        loops = [self.one(self.bare)]
        self.one(self.ours)
        loops.append(self.one(self.bare, "again"))
        self.beyond.add(self.ours.worker_side * 1e6 / tasks_of(self.bench, self.ours) - sum(loops) / 2)
        for other in self.others:
            self.one(other)

    def ratio(self, name):
        return paired("", lambda x, a, b: 2 * x / (a + b), self.rate[name], self.rate[self.bare.name], self.rate["again"])

    def itself(self):
        return paired("", lambda a, b: b / a, self.rate[self.bare.name], self.rate["again"])

    def names(self):
        return [HQ, self.bare.name, *(o.name for o in self.others)]


def rows_of(contest):
    key, what = ("two_files", "two output files each") if contest.files else ("no_files", "no output files")
    bare = contest.bare.name
    yield Row(f"tasks_per_s_{key}", f"real processes, {what}", contest.rate[HQ], contest.ratio(HQ), judged_as=f"of a {bare}",
              goal=Goal("at least", 0.95), beside=[(bare, contest.rate[bare]), ("the loop against itself", contest.itself())])
    yield Row(f"cpu_per_task_{key}", f"processor time of worker and helpers per task, beyond the loop, {what}", contest.beyond,
              goal=Goal("at most", 30, "us"), beside=[(f"{bare}, its tasks included,", contest.cpu[bare])])


def table_of(contests):
    table = Table("side_by_side", "Real processes, side by side",
                  [f"{column}{files}" for files in ("", ", two files") for column in ("tasks/s", "of the loop", "cpu per task")])
    for name in contests[0].names():
        cells = []
        for c in contests:
            cells += [c.rate[name], c.ratio(name), c.cpu[name]]
        table.add(name, cells)
    return table


def measure(bench):
    with peers.started(bench, *peers.ALL) as others, Cluster(bench) as cluster:
        contests = [Contest(bench, cluster, others, files) for files in (False, True)]
        for _ in bench.each(bench.rounds, "real processes, paired rounds"):
            for contest in contests:
                contest.round()
    table = table_of(contests)
    for name in bench.not_measured:
        table.add(name, ["not measured"] * len(table.columns))
    return [row for c in contests for row in rows_of(c)], [table]
