#!/bin/sh
# Fuzzes every parser of outside bytes, each for some seconds: scripts/fuzz.sh [SECONDS].
# Says how many executions each had, and fails where one has found something.
set -eu
unset MAKEFLAGS MFLAGS

seconds=${1:-30}
cd "$(dirname "$0")/.."
version=0.13.2

if [ "${FULL-}" = 1 ] && ! cargo +nightly --version > /dev/null 2>&1; then
	rustup toolchain install nightly --profile minimal || :
fi
if ! cargo +nightly --version > /dev/null 2>&1; then
	echo "fuzz: needs Rust's nightly toolchain: rustup toolchain install nightly --profile minimal" >&2
	exit 1
fi
if ! cargo fuzz --version > /dev/null 2>&1; then
	if [ "${FULL-}" != 1 ]; then
		echo "fuzz: needs cargo-fuzz: cargo install cargo-fuzz --version $version --locked (or FULL=1)" >&2
		exit 1
	fi
	cargo install cargo-fuzz --version "$version" --locked
fi

# What grows while it runs is not kept in the source tree; what is found is told where it is.
work=${CARGO_TARGET_DIR:-target}/fuzz
mkdir -p "$work"
work=$(cd "$work" && pwd)
CARGO_TARGET_DIR=$work/build
export CARGO_TARGET_DIR

cargo +nightly fuzz build
failed=
for target in $(cargo +nightly fuzz list); do
	corpus=$work/corpus/$target
	found=$work/found/$target
	mkdir -p "$corpus" "$found"
	log=$work/$target.log
	# A slow input is one that hangs: nothing here waits longer than for a torn tail.
	if cargo +nightly fuzz run "$target" "$corpus" "fuzz/seeds/$target" -- \
		-max_total_time="$seconds" -max_len=400 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$found/" > "$log" 2>&1
	then
		result='nothing found'
	else
		result="FOUND something: $log, $found"
		failed=1
	fi
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
	printf 'fuzz %-10s %10s executions: %s\n' "$target" "${executions:-?}" "$result"
done
if [ -n "$failed" ]; then
	echo 'fuzz: keep what was found as a seed, in fuzz/seeds/TARGET: then make check runs it.' >&2
	exit 1
fi
