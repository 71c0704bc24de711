# SPDX-License-Identifier: MIT
"""What a host pays for server, worker and client in one thread of its own: what embed_bench prints."""
import json

import process
from figures import Goal, Row, Series

TASKS, TASKS_TIMES = 1_000_000, 9
EVENTS, EVENTS_TIMES = 2000, 5
IDLE_S, IDLE_TIMES = 8, 2 # heartbeats come every 8 s


def run(bench, part, n):
    return json.loads(process.run([bench.programs / "embed_bench", part, n], env=bench.env).output)


def measure_tasks(bench):
    cpu, wall = Series("tasks/s"), Series("tasks/s")
    for _ in bench.each(bench.size(TASKS_TIMES, 1), "function tasks"):
        told = run(bench, "tasks", bench.size(TASKS, 1000))
        cpu.add(told["tasks"] / told["cpu_s"])
        wall.add(told["tasks"] / told["wall_s"])
    yield Row("embed_functions", "function tasks, empty, in a second of the host's processor time, libzmq's threads included", cpu,
              goal=Goal("at least", 1_000_000, "tasks/s"), beside=[("by the clock", wall)])


def measure_events(bench):
    usual, slow = Series("us"), Series("us")
    for _ in bench.each(bench.size(EVENTS_TIMES, 1), "events in the host"):
        told = run(bench, "events", bench.size(EVENTS, 10))
        usual.add(told["p50_us"])
        slow.add(told["p99_us"])
    yield Row("embed_event", "from the answer of a function task to the client's event in the same thread, median", usual,
              beside=[("99th percentile", slow)])


def measure_idle(bench):
    every, host = Series("/s"), Series("/s")
    for _ in bench.each(bench.size(IDLE_TIMES, 1), "idle host"):
        told = run(bench, "idle", bench.size(IDLE_S, 1))
        every.add(told["switches"] / told["seconds"])
        host.add(told["of_host"] / told["seconds"])
    yield Row("embed_idle_switches", f"wake-ups of an idle host with server, worker and client, over {IDLE_S} s", every,
              beside=[("its main thread", host)])


def measure(bench):
    return [*measure_tasks(bench), *measure_events(bench), *measure_idle(bench)], []
