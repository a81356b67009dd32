#!/usr/bin/env bash
# Fuzzes the core under AddressSanitizer and UBSan:  run.sh [SECONDS] [CORPUS] [TARGET]
# Needs clang with libFuzzer. TARGET is core (the default: its entry points) or model (model files).
# New inputs go to CORPUS (a temporary folder unless given); the small corpus beside this file is
# read first and never written.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
core=$here/../../../../edge_runtime/core
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
target=${3:-core}
seeds=$here/corpus
[ "$target" = core ] || seeds=$here/corpus_$target
mkdir -p "$out/corpus"
"${CLANGXX:-clang++}" -std=c++17 -O1 -g -fno-omit-frame-pointer \
  -fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize-recover=all \
  -I "$core/include" -I "$core/src" "$here/fuzz_$target.cpp" "$core"/src/*.cpp -o "$out/fuzz"
"$out/fuzz" -max_total_time="${1:-60}" -max_len=8192 -timeout=20 -rss_limit_mb=1024 \
  -artifact_prefix="${ARTIFACTS:-./}" "${2:-$out/corpus}" "$seeds"
