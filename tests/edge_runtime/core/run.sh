#!/usr/bin/env bash
# Builds the core with its own tests under AddressSanitizer and UBSan, and runs them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
core=$here/../../../edge_runtime/core
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"${CXX:-g++}" -std=c++17 -O1 -g -Wall -Wextra -Werror -fno-omit-frame-pointer \
  -fsanitize=address,undefined -fno-sanitize-recover=all \
  -I "$core/include" -I "$core/src" "$here"/core_test.cpp "$core"/src/*.cpp -o "$out/core_test"
ASAN_OPTIONS=detect_leaks=${LEAKS:-1} "$out/core_test"
