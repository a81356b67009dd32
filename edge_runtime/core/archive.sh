#!/usr/bin/env bash
# Packs the counting core for other programs: header, static and shared library, CMake package and
# pkg-config file:
#
#   archive.sh OUT [linux-x86_64 | linux-aarch64 | macos-arm64 | macos-x86_64]
#
# writes OUT/tally-VERSION-PLATFORM.tar.gz and prints its path. Without a platform it is this one's.
# On Linux, aarch64 is cross-compiled with aarch64-linux-gnu-g++.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

this_platform() {
  local system=linux
  [ "$(uname -s)" = Darwin ] && system=macos
  echo "$system-$(uname -m)"
}
platform=${2:-$(this_platform)}
strip_options=(-x)
options=(-DCMAKE_BUILD_TYPE=MinSizeRel -DTALLY_TESTS=OFF -DCMAKE_INSTALL_LIBDIR=lib)
case $platform in linux-*) options+=(-DTALLY_LTO=ON) strip_options=() ;; esac
case $platform in
  "$(this_platform)") strip=strip ;;
  linux-aarch64)
    options+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64
      -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++)
    strip=aarch64-linux-gnu-strip
    ;;
  macos-*) options+=("-DCMAKE_OSX_ARCHITECTURES=${platform#macos-}") strip=strip ;;
  *)
    echo "$platform cannot be built on $(this_platform)" >&2
    exit 2
    ;;
esac

version=$(sed -n 's/^#define TALLY_VERSION "\(.*\)"$/\1/p' "$here/include/tally.h")
name=tally-$version-$platform
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake -S "$here" -B "$work/build" "${options[@]}" >&2
cmake --build "$work/build" --parallel 2 >&2
cmake --install "$work/build" --prefix "$work/$name" >&2
for library in "$work/$name"/lib/libtally*.so.*.*.* "$work/$name"/lib/libtally.*.*.*.dylib; do
  if [ -f "$library" ]; then "$strip" "${strip_options[@]}" "$library"; fi
done
if [ "${platform%-*}" = linux ]; then
  # The static library is for every compiler: without GCC's own form of the code.
  "$strip" -g -R '.gnu.lto_*' -R '.gnu.debuglto_*' "$work/$name/lib/libtally.a"
fi
cp "$here/../../LICENSE" "$work/$name/"
# No names, times or order of files of this machine: the same sources give the same archive.
if tar --version | grep -q GNU; then
  tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - "$name" |
    gzip -n > "$out/$name.tar.gz"
else
  tar -C "$work" -czf "$out/$name.tar.gz" "$name"
fi
echo "$out/$name.tar.gz"
