#!/bin/bash
# Configure, build and test one preset, then say plainly what came out.
#     tests/run.sh PRESET [ctest arguments]        PRESET: dev ci asan tsan clang
# The last line is "PRESET: N passed, N failed, N skipped"; the exit status is 0 when nothing failed
# and something passed. Every skip is named with its reason, also those inside a test program.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1

preset=${1:?usage: tests/run.sh PRESET [ctest arguments]}
shift
case $preset in
dev) build=build ;;
*) build=build-$preset ;;
esac
jobs=${VEDETTE_JOBS:-$(nproc)}
run=()
# ThreadSanitizer of gcc 12 cannot place its shadow when the kernel spreads maps over 32 random bits.
[ "$preset" = tsan ] && run=(setarch "$(uname -m)" -R)

fail()
{
    echo "$preset: $1"
    echo "$preset: 0 passed, 1 failed, 0 skipped"
    exit 1
}

mkdir -p "$build"
echo "== $preset: configure and build in $build"
cmake --preset "$preset" >"$build/configure.log" 2>&1 || {
    cat "$build/configure.log"
    fail "configuring failed"
}
cmake --build "$build" -j "$jobs" >"$build/build.log" 2>&1 || {
    grep -E -A12 'error|warning|FAILED|undefined' "$build/build.log" | head -60
    fail "building failed: $build/build.log"
}
# Tests wait for the disk: every entry of a record is a durable step, and there are tens of thousands. A disk in
# memory does not make them wait, where it has room and runs programs. TMPDIR, when set, is kept.
scratch=
if [ -z "${TMPDIR:-}" ] && scratch=$(mktemp -d /dev/shm/vedette-test-XXXXXX 2>/dev/null); then
    trap 'rm -rf "$scratch"' EXIT
    printf '#!/bin/sh\n' >"$scratch/runs"
    chmod 700 "$scratch/runs"
    room=$(df --output=avail -k "$scratch" | tail -1)
    free=$(awk '/^MemAvailable/{print $2}' /proc/meminfo)
    [ "$room" -ge 4194304 ] && [ "$free" -ge 8388608 ] && "$scratch/runs" 2>/dev/null && export TMPDIR=$scratch
fi
echo "== $preset: test, scratch files in ${TMPDIR:-/tmp}"
rm -f "$build/tests.xml"
"${run[@]}" ctest --preset "$preset" -j "${VEDETTE_TEST_JOBS:-$jobs}" \
    --output-junit "$PWD/$build/tests.xml" "$@"
rc=$?
python3 tests/summary.py "$preset" "$build/tests.xml" "$rc"
