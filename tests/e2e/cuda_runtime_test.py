#!/usr/bin/env python3
"""cuda_runtime_test.py HQ [DIR] - the real CUDA runtime, loaded on a machine without a GPU, answers that there is none.

DIR holds what `pip install --target DIR nvidia-cuda-runtime-cu12` installs; without it the test is skipped (77). Where the
machine has a GPU, it has to be found and described.
"""
import json, os, pathlib, subprocess, sys

hq = pathlib.Path(sys.argv[1]).resolve()
where = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else hq.parents[1] / "cudart"
found = sorted(where.glob("nvidia/cuda_runtime/lib/libcudart.so*"))
if not found:
    print(f"skipped: the package nvidia-cuda-runtime-cu12 is not in {where}")
    sys.exit(77)

path = os.pathsep.join(filter(None, [str(found[0].parent.resolve()), os.environ.get("LD_LIBRARY_PATH")]))
env = dict(os.environ, LD_LIBRARY_PATH=path)
for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
    env.pop(name, None)
out = subprocess.run([hq, "--output-mode=json", "worker", "hwdetect"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     check=True, text=True, timeout=60).stdout
names = [r["name"] for r in json.loads(out)["resources"]]
assert "cpus" in names and "mem" in names, out
assert ("gpus/nvidia" in names) == pathlib.Path("/dev/nvidia0").exists(), out
said = subprocess.run([hq, "--debug", "worker", "hwdetect"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT, check=True, text=True, timeout=60).stdout
assert "gpus/nvidia" in names or "The CUDA runtime finds no GPUs" in said, f"the runtime was not asked:\n{said}"
print("loaded", found[0].name, "and found", "a GPU" if "gpus/nvidia" in names else "no GPU")
