#!/bin/sh
# Pin the base image of the Dockerfile by the digest that its registry shows now (needs docker).
#   deploy/pin-base-image.sh [python:3.12-slim-bookworm]
set -eu
image=${1:-python:3.12-slim-bookworm}
digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
case $digest in
    sha256:*) ;;
    *) echo "no digest for $image: $digest" >&2; exit 4 ;;
esac
sed -i "s|^ARG PYTHON=.*|ARG PYTHON=$image@$digest|" "$(dirname "$0")/Dockerfile"
echo "$image@$digest"
