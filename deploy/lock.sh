#!/bin/sh
# Write the lock files of the images again, with hashes: deploy/lock.sh (needs `uv`).
set -eu
cd "$(dirname "$0")/.."
lock() {
    name=$1
    shift
    uv pip compile "$@" --generate-hashes --universal --python-version 3.12 --no-header \
        --no-annotate --quiet --output-file "deploy/requirements/$name.lock"
}
in=deploy/requirements
lock build "$in/build.in"
lock cpu setup.py "$in/cpu.in" --extra serve --extra videos --extra postgres --extra store \
    --override "$in/cpu.override"
lock cuda setup.py "$in/cuda.in" --extra serve --extra videos --extra postgres --extra store \
    --override "$in/cuda.override"
lock ray setup.py "$in/cuda.in" --extra cluster --extra videos --extra postgres --extra store \
    --override "$in/cuda.override"
