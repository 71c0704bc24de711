#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`hq worker start --overview-interval`: how busy a node is, from the tools that know to whoever reads events."""
import json, os, signal, time

from harness import HQ, case, eq, has, main, until

NVIDIA_QUERY = "--format=csv,noheader --query-gpu=pci.bus_id,utilization.gpu,memory.used,memory.total"
AMD_QUERY = "--json --showuse --showbus --showmemuse"
NETWORK = ["rx_bytes", "rx_errors", "rx_packets", "tx_bytes", "tx_errors", "tx_packets"]
STATE = ["amd_gpus", "cpu_usage", "memory_usage", "network_usage", "nvidia_gpus", "timestamp"]


def tools(w, **scripts):
    """Stand-ins, first on PATH; how each was called is in the file ARGS.NAME."""
    bin_dir = w.base / "bin"
    bin_dir.mkdir(exist_ok=True)
    for name, body in scripts.items():
        path = bin_dir / name.replace("_", "-")
        path.write_text(f'#!/bin/sh\necho "$@" >> {w.work}/ARGS.{name}\n{body}\n')
        path.chmod(0o755)
    return {"PATH": f"{bin_dir}:{w.env['PATH']}"}


def events(text, kind):
    found = [json.loads(line) for line in text.splitlines() if f'"type":"{kind}"' in line]
    return [e["event"] | {"at": e["time"]} for e in found]


def overviews(w, worker=None):
    w.hq("journal", "flush")
    found = events(w.hq("journal", "export", "j").out, "worker-overview")
    return [e for e in found if worker in (None, e["id"])]


def await_overviews(w, n, worker=None):
    return until(lambda: (v := overviews(w, worker)) and len(v) >= n and v, f"{n} overviews")


@case
def of_a_node_without_gpus(w):
    w.server("--journal=j")
    worker = w.worker("--overview-interval=100ms", env=tools(w, nvidia_smi="exit 1"))
    start = time.time()
    found = await_overviews(w, 5)
    eq(sorted(found[0]), ["at", "hw-state", "id", "type"])
    eq({e["id"] for e in found}, {worker.id})
    for e in found:
        eq(list(e["hw-state"]), ["state"])
        state = e["hw-state"]["state"]
        eq(sorted(state), STATE)
        shares = state["cpu_usage"]["cpu_per_core_percent_usage"]
        eq(len(shares), os.cpu_count())
        assert all(isinstance(share, float) and 0 <= share <= 100 for share in shares), shares
        memory = state["memory_usage"]
        assert 0 < memory["free"] <= memory["total"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), memory
        eq(sorted(state["network_usage"]), NETWORK)
        assert all(isinstance(n, int) for n in state["network_usage"].values())
        eq((state["nvidia_gpus"], state["amd_gpus"]), (None, None))
        assert abs(state["timestamp"] - start) < 60
    assert not (w.work / "ARGS.nvidia_smi").exists()  # the worker offers no GPU
    config = events(w.hq("journal", "export", "j").out, "worker-connected")[0]["configuration"]
    eq(config["overview_configuration"], {"send_interval": {"secs": 0, "nanos": 100000000}, "gpu_families": []})
    has(w.hq("worker", "info", worker.id).out, "| Overview interval | 100ms ")


@case
def of_gpus(w):
    cards = {"card1": {"GPU use (%)": "7", "GPU memory use (%)": "50", "PCI Bus": "0000:C1:00.0"},
             "card0": {"GPU use (%)": "none", "PCI Bus": "0000:C0:00.0"}}
    env = tools(w, nvidia_smi="echo '00000000:01:00.0, 45 %, 1024 MiB, 4 GiB'\necho '00000000:02:00.0, [N/A], x, 8 MiB'",
                rocm_smi=f"[ -e {w.work}/fails ] && echo no driver >&2 && exit 1\necho '{json.dumps(cards)}'")
    w.server("--journal=j")
    worker = w.worker("--overview-interval=100ms", "--resource=gpus/nvidia=[0,1]", "--resource=gpus/amd=[0,1]", env=env)
    state = await_overviews(w, 2)[-1]["hw-state"]["state"]
    eq(state["nvidia_gpus"], {"gpus": [{"id": "00000000:01:00.0", "processor_usage": 45.0, "mem_usage": 25.0},
                                       {"id": "00000000:02:00.0", "processor_usage": 0.0, "mem_usage": 0.0}]})
    eq(state["amd_gpus"], {"gpus": [{"id": "0000:C0:00.0", "processor_usage": 0.0, "mem_usage": 0.0},
                                    {"id": "0000:C1:00.0", "processor_usage": 7.0, "mem_usage": 50.0}]})
    eq(set(w.read("ARGS.nvidia_smi").splitlines()), {NVIDIA_QUERY})
    eq(set(w.read("ARGS.rocm_smi").splitlines()), {AMD_QUERY})
    config = events(w.hq("journal", "export", "j").out, "worker-connected")[0]["configuration"]
    eq(config["overview_configuration"]["gpu_families"], ["Nvidia", "Amd"])
    (w.work / "fails").touch()  # the samples in which it fails are without it, and only those
    until(lambda: overviews(w)[-1]["hw-state"]["state"]["amd_gpus"] is None, "an overview without AMD GPUs")
    assert overviews(w)[-1]["hw-state"]["state"]["nvidia_gpus"]
    worker.await_log("WARN Overviews are without AMD GPUs as long as `rocm-smi` fails: no driver")
    (w.work / "fails").unlink()
    until(lambda: overviews(w)[-1]["hw-state"]["state"]["amd_gpus"], "an overview with AMD GPUs")
    eq(worker.log().count("WARN Overviews"), 1)


@case
def live_readers_see_them(w):
    s = w.server("--journal=j", "--journal-flush-period=1h")
    w.worker("--overview-interval=100ms")
    p = w.start("stream", HQ, "journal", "stream")
    until(lambda: len(events(p.log(), "worker-overview")) >= 3, "overviews in the stream")
    seen = len(events(p.log(), "worker-overview"))
    until(lambda: len(events(p.log(), "worker-overview")) > seen, "and more as they come")
    assert events(w.hq("journal", "replay").out, "worker-overview")
    w.stop(s)
    eq(p.wait(), 0)


@case
def a_server_without_a_journal_does_without(w):
    w.server()
    worker = w.worker("--overview-interval=100ms", "--resource=gpus/nvidia=[0]", env=tools(w, nvidia_smi="echo x"))
    until(lambda: len(w.await_file("ARGS.nvidia_smi").splitlines()) > 3, "some looks")
    w.hq("submit", "--wait", "--", "true")
    eq(w.workers(), {worker.id: "RUNNING"})


@case
def off_is_the_default(w):
    w.server("--journal=j")
    w.worker("--overview-interval=0s")
    busy = w.worker("--overview-interval=100ms")
    idle = w.worker()
    await_overviews(w, 5)
    eq({e["id"] for e in overviews(w)}, {busy.id})
    has(w.hq("worker", "info", idle.id).out, "| Overview interval | None ")


@case
def tasks_do_not_wait_for_a_tool_that_hangs(w):
    w.server("--journal=j")
    w.worker("--overview-interval=100ms", "--resource=gpus/nvidia=[0]", env=tools(w, nvidia_smi="exec sleep 1000"))
    w.await_file("ARGS.nvidia_smi")
    w.hq("submit", "--wait", "--array=1-20", "--", "true", seconds=8)
    eq(overviews(w), [])  # the first one is still being made
    eq(len(w.read("ARGS.nvidia_smi").splitlines()), 1)


@case
def they_survive_restarts_and_lost_helpers(w):
    s = w.server("--journal=j")
    worker = w.worker("--overview-interval=100ms", "--on-server-lost=wait")
    before = len(await_overviews(w, 3))
    s.kill()
    s = w.server("--journal=j")
    until(lambda: "RUNNING" in w.workers().values(), "the worker is back")
    after = await_overviews(w, before + 3)
    eq({e["id"] for e in after}, {worker.id})
    helpers = [pid for pid, line in w.left().items() if "hq-helper" in line or "/fd/" in line]
    assert helpers, w.left()
    for pid in helpers:
        os.kill(pid, signal.SIGKILL)
    await_overviews(w, len(overviews(w)) + 3)
    w.stop(s)


@case
def pruning_keeps_those_of_workers_that_are_there(w):
    s = w.server("--journal=j")
    gone, stays = (w.worker("--overview-interval=100ms") for _ in range(2))
    await_overviews(w, 2, gone.id)
    await_overviews(w, 2, stays.id)
    w.hq("worker", "stop", gone.id)
    w.await_worker(gone.id, "STOPPED")
    gone.wait()
    w.hq("journal", "prune")
    eq(overviews(w, gone.id), [])
    assert overviews(w, stays.id)
    w.stop(s)
    s = w.server("--journal=j")
    w.stop(s)


main()
