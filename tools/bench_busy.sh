#!/bin/sh
# Decoding beside other work: tokens/s with the default threads and with one, alternating, while busy processes run.
#
# Usage: tools/bench_busy.sh [PROGRAM [BUSY [PAIRS]]]        default: build/release/eyrie, 6 busy processes, 7 pairs
set -eu
cd "$(dirname "$0")/.."
program=${1:-build/release/eyrie}; busy=${2:-6}; pairs=${3:-7}

processes=
for _ in $(seq "$busy"); do
  sh -c 'while :; do :; done' &
  processes="$processes $!"
done
# shellcheck disable=SC2086
trap '[ -z "$processes" ] || kill $processes' EXIT

rate() {
  "$program" generate --model assets/fledgling --prompt "How much is 12 + 30?" --ignore-stop --max-new-tokens 200 "$@" \
    2>&1 >/dev/null | sed -n 's/.* \([0-9.]*\) tokens\/s.*/\1/p'
}
for _ in $(seq "$pairs"); do
  echo "$(rate) $(rate --threads 1)"
done | awk '
  { printf "default %8.1f   one thread %8.1f   ratio %.2f\n", $1, $2, $1 / $2; ratio[NR] = $1 / $2 }
  END {
    for (i = 1; i <= NR; ++i) for (j = i + 1; j <= NR; ++j) if (ratio[j] < ratio[i]) { t = ratio[i]; ratio[i] = ratio[j]; ratio[j] = t }
    printf "ratio: least %.2f, median %.2f, most %.2f\n", ratio[1], ratio[int((NR + 1) / 2)], ratio[NR]
  }'
