#!/bin/sh
# Feeds every reader of bytes with what a fuzzer makes up, for so many seconds each (60), and prints how often each was
# called and the largest allocation that it asked for. Needs `cargo install cargo-fuzz`.
set -eu
seconds=${1:-60}
cd "$(dirname "$0")/fuzz"
export RUSTC_BOOTSTRAP=1 # cargo-fuzz asks for options of the nightly compiler
export ASAN_OPTIONS=quarantine_size_mb=1 # what was given back is not held for long
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in $(cargo fuzz list); do
    cargo fuzz run "$target" -- -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=2048 \
        -print_final_stats=1 >"$log" 2>&1 || { cat "$log"; exit 1; }
    awk -v target="$target" '/number_of_executed_units/ { runs = $2 } /^largest allocation/ { largest = $3 }
        END { printf "%-26s %10d runs, largest allocation %9d bytes\n", target, runs, largest }' "$log"
done
