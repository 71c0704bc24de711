#!/usr/bin/env bash
# run.sh - installs what is missing, builds with gcc and clang, runs all tests, and those of the pure parts once
# more under ASan and UBSan. Last line: "N passed, M failed[, K skipped]"; a build that fails counts as one failure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
exec </dev/null

passed=0 failed=0 skipped=0

# step TEXT COMMAND...: counts a failure of what is not a test.
step() {
  echo "== $1"
  "${@:2}" && return 0
  echo "== failed: $1"
  failed=$((failed + 1))
  return 1
}

# configure DIR OPTION...: keeps an existing build directory where that still works.
configure() {
  if [[ -d $1 ]] && meson setup --reconfigure "$@" >/dev/null 2>&1; then
    return 0
  fi
  rm -rf "$1"
  meson setup "$@"
}

# build DIR COMPILER OPTION...
build() {
  CC=$2 configure "$1" -Dwerror=true "${@:3}" && ninja -C "$1"
}

# count LOG: "passed failed skipped" of meson's testlog.json.
count() {
  python3 - "$1" <<'EOF'
import json, sys
groups = {"OK": 0, "EXPECTEDFAIL": 0, "SKIP": 2}
counts = [0, 0, 0]
for line in open(sys.argv[1], encoding="utf-8"):
    counts[groups.get(json.loads(line)["result"], 1)] += 1
print(*counts)
EOF
}

# run_tests DIR OPTION...
run_tests() {
  local log=$1/meson-logs/testlog.json ok bad skip
  rm -f "$log"
  meson test -C "$1" --no-rebuild --print-errorlogs "${@:2}"
  local rc=$?
  if [[ ! -f $log ]]; then
    return "$rc" # no test fits, or meson itself failed
  fi
  read -r ok bad skip < <(count "$log") || return 1
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
  [[ $rc -eq 0 || $bad -gt 0 ]]
}

# What Debian does not have: NVIDIA's runtime library, for one test, which is skipped without it.
cuda_runtime() {
  [[ -d $1/nvidia ]] || python3 -m pip install -q --disable-pip-version-check --target "$1" nvidia-cuda-runtime-cu12 ||
    echo "no CUDA runtime: its test will be skipped"
}

# tsan_runs: a program made with it does.
tsan_runs() {
  local dir rc
  dir=$(mktemp -d)
  echo 'int main(void) { return 0; }' >"$dir/t.c" && gcc -fsanitize=thread -o "$dir/t" "$dir/t.c" && "$dir/t"
  rc=$?
  rm -rf "$dir"
  return $rc
}

step "packages" .ci/install-packages build test hosts
step "build with gcc" build build-test gcc && cuda_runtime build-test/cudart && step "tests" run_tests build-test
step "build with clang" build build-clang clang
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
step "build with sanitizers" build build-asan gcc -Db_sanitize=address,undefined -Db_lundef=false &&
  step "tests with sanitizers" run_tests build-asan --suite unit --suite core --suite journal --suite sim --suite fuzz --timeout-multiplier 4
# The one thread of the library's own. Some kernels place memory where TSan cannot have it: then nothing of it runs.
if tsan_runs; then
  step "build with TSan" build build-tsan gcc -Db_sanitize=thread -Db_lundef=false &&
    step "tests with TSan" run_tests build-tsan journal/journal journal/lock journal/live --timeout-multiplier 4
else
  echo "no TSan here: the journal's thread was tested without it"
fi

summary="$passed passed, $failed failed"
[[ $skipped -eq 0 ]] || summary+=", $skipped skipped"
echo "$summary"
[[ $failed -eq 0 ]]
