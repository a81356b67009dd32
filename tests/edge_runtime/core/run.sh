#!/usr/bin/env bash
# Builds the core with its own tests under AddressSanitizer and UBSan, and runs them: once as this
# processor gets it, and once with the code for processors without special instructions.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
core=$here/../../../edge_runtime/core
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

build() {
  "${CXX:-g++}" -std=c++17 -O1 -g -Wall -Wextra -Werror -fno-omit-frame-pointer \
    -fsanitize=address,undefined -fno-sanitize-recover=all "${@:2}" \
    -I "$core/include" -I "$core/src" "$here"/core_test.cpp "$core"/src/*.cpp -o "$out/$1"
}

build native &
first=$!
build portable -DTALLY_PORTABLE
wait "$first"
"$out/native"
"$out/portable"
