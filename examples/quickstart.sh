#!/usr/bin/env bash
# Installs what is missing (Debian, as root or with sudo), builds, and runs the main job: an array of 300 tasks,
# server and worker inside one `hq run`. Shows what came out.
set -euo pipefail
cd "$(dirname "$0")/.."

.ci/install-packages build
[ -f build/build.ninja ] || meson setup build --buildtype=release
ninja -C build cli/hq lib/helper/hq-helper

out=$(mktemp -d)
cp examples/task.sh "$out"
cd "$out"
"$OLDPWD/build/cli/hq" run --array 1-300 ./task.sh

echo
echo "$(ls job-1/*.stdout | wc -l) output files in $out/job-1; that of task 300:"
cat job-1/300.stdout
