#!/usr/bin/env bash
# Builds the core with its own tests under AddressSanitizer and UBSan, and runs them: once as this
# processor gets it, and once with the code for processors without special instructions. Then two
# handles of each kind in two threads under ThreadSanitizer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
core=$here/../../../edge_runtime/core
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# build NAME TEST SANITIZERS [FLAG...]: TEST is a folder of sources, or one source without its ending.
build() {
  local sources=("$here/$2.cpp")
  [ ! -d "$here/$2" ] || sources=("$here/$2"/*.cpp)
  "${CXX:-g++}" -std=c++17 -O1 -g -Wall -Wextra -Werror -fno-omit-frame-pointer \
    -fsanitize="$3" -fno-sanitize-recover=all "${@:4}" \
    -I "$core/include" -I "$core/src" "${sources[@]}" "$core"/src/*.cpp -o "$out/$1"
}

build native core_test address,undefined &
first=$!
build portable core_test address,undefined -DTALLY_PORTABLE
wait "$first"
build threads threads_test thread
"$out/native"
"$out/portable"
"$out/threads"
