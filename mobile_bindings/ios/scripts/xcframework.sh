#!/bin/sh
# Builds TallyLens.xcframework and its zip for TallyLens.podspec and for binary targets; on a Mac, with
# Xcode 16:
#
#     mobile_bindings/ios/scripts/xcframework.sh [FOLDER]
#
# It builds a copy of the last commit in which one dynamic framework holds all three modules, and in which
# the C modules are imported internally, so that an app needs none of their headers.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
out=${1:-$root/mobile_bindings/ios/build/xcframework}
modules="TallyLens TallyLensCoreML TallyLensCamera"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git -C "$root" archive HEAD Package.swift LICENSE edge_runtime/core mobile_bindings | tar -x -C "$work"
cd "$work"
perl -pi -e 's/^import (CTally|CZlib)$/internal import $1/' \
    $(find mobile_bindings/ios/Sources -name '*.swift')
perl -pi -e 's/\.library\(name: "TallyLens", targets: \["TallyLens"\]\)/.library(name: "TallyLens", type: .dynamic, targets: ["TallyLens", "TallyLensCoreML", "TallyLensCamera"])/' \
    Package.swift
grep -q 'type: .dynamic' Package.swift

frameworks=
for platform in "iOS" "iOS Simulator"; do
    name=$(echo "$platform" | tr -d ' ')
    xcodebuild archive -quiet -scheme TallyLens -destination "generic/platform=$platform" \
        -archivePath "$work/$name" -derivedDataPath "$work/derived-$name" \
        SKIP_INSTALL=NO BUILD_LIBRARY_FOR_DISTRIBUTION=YES
    framework=$(find "$work/$name.xcarchive/Products" -name TallyLens.framework -type d)
    mkdir -p "$framework/Modules"
    for module in $modules; do
        found=$(find "$work/derived-$name/Build" -name "$module.swiftmodule" -type d | head -n 1)
        cp -R "$found" "$framework/Modules/"
    done
    cp mobile_bindings/ios/PrivacyInfo.xcprivacy "$framework/"
    frameworks="$frameworks -framework $framework"
done

mkdir -p "$out"
rm -rf "$out/TallyLens.xcframework" "$out/TallyLens.xcframework.zip"
# shellcheck disable=SC2086 # a list of options
xcodebuild -create-xcframework $frameworks -output "$out/TallyLens.xcframework"
cp LICENSE "$out/TallyLens.xcframework/"
(cd "$out" && zip -qry TallyLens.xcframework.zip TallyLens.xcframework)
echo "$out/TallyLens.xcframework.zip"
swift package compute-checksum "$out/TallyLens.xcframework.zip"
