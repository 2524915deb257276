#!/bin/sh
# Feeds every reader of bytes with what a fuzzer makes up, for so many seconds each (60), and prints the largest
# memory that any of them took. Needs `cargo install cargo-fuzz`.
set -eu
seconds=${1:-60}
cd "$(dirname "$0")/ckks"
export RUSTC_BOOTSTRAP=1 # cargo-fuzz asks for options of the nightly compiler
export ASAN_OPTIONS=quarantine_size_mb=1 # what was given back is not held for long, or it would hide what was taken
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in $(cargo fuzz list); do
    # payloads are up to 4 KiB: no reader may ask for more than 1 MiB at a time, nor the process for 512 MiB
    cargo fuzz run "$target" -- -max_total_time="$seconds" -max_len=4096 -malloc_limit_mb=1 -rss_limit_mb=512 \
        -print_final_stats=1 >"$log" 2>&1 || { cat "$log"; exit 1; }
    awk -v target="$target" '/number_of_executed_units/ { runs = $2 } /peak_rss_mb/ { peak = $2 }
        END { printf "%-20s %10d runs, peak of the process %d MB\n", target, runs, peak }' "$log"
done
