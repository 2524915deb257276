#!/bin/sh
# A wrapper of the compiler that gives instruments to what reads bytes, assertions to what we wrote, and neither to
# anything else: unrolled transforms with either take an hour to compile.
case " $* " in
*" --crate-name cryptodl"* | *"fuzz_targets/"*) exec "$@" ;;
*" --crate-name fhe"* | *" --crate-name prost"* | *" --crate-name postcard "* | *" --crate-name safetensors "* | \
    *" --crate-name serde"*) instruments=yes ;;
*) instruments=no ;;
esac
for argument in "$@"; do
    shift
    case "$instruments $argument" in
    *" -Cdebug-assertions" | *" -Ccodegen-units=1") ;;
    no\ -Cpasses=sancov* | no\ -Cllvm-args=-sanitizer-coverage* | no\ -Cllvm-args=-simplifycfg*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
exec "$@"
