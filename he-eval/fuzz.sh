#!/bin/sh
# Feeds every reader of bytes with what a fuzzer makes up, for so many seconds each (60), and prints how often each was
# called and the largest allocation that it asked for. Needs `cargo install cargo-fuzz`. Readers are safe Rust, so no
# sanitizer is needed to find what they do wrong.
set -eu
seconds=${1:-60}
cd "$(dirname "$0")/fuzz"
export RUSTC_BOOTSTRAP=1 # cargo-fuzz asks for options of the nightly compiler
export RUSTC_WRAPPER="$PWD/rustc.sh"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in $(cargo fuzz list); do
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=2048 \
        -print_final_stats=1 >"$log" 2>&1 || { cat "$log"; exit 1; }
    awk -v target="$target" '/number_of_executed_units/ { runs = $2 } /^largest allocation/ { largest = $3 }
        END { printf "%-26s %10d runs, largest allocation %9d bytes\n", target, runs, largest }' "$log"
done
