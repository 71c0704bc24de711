#!/usr/bin/env bash
# run.sh [ROUNDS] - measures everything: a release build in build-bench/, the programs to compare with (extras: what cannot be
# had is named in the table), all rows in ROUNDS paired rounds (15); writes docs/benchmarks.md and docs/benchmarks.json.
# Takes about ten minutes. Let nothing else run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build-bench
hyperqueue=0.27.0 # of PyPI: the reference that rows are compared with

.ci/install-packages build
.ci/install-packages bench || echo "run.sh: without GNU parallel" >&2
export CC=gcc
if ! [[ -d $build ]] || ! meson setup --reconfigure "$build" --buildtype=release >/dev/null 2>&1; then
  rm -rf "$build"
  meson setup "$build" --buildtype=release
fi
ninja -C "$build" >/dev/null
if [[ ! -d $build/peers/hyperqueue-$hyperqueue.dist-info ]]; then
  rm -rf "$build/peers"
  timeout 300 python3 -m pip install -q --disable-pip-version-check --target "$build/peers" "hyperqueue==$hyperqueue" ||
    echo "run.sh: without the PyPI package hyperqueue" >&2
fi
exec python3 -B tests/bench/run.py "$build" --rounds "${1:-15}" --docs docs
