"""The Apple targets on Linux: a package of the same sources over the modules in `Stubs/`."""

from __future__ import annotations

from pathlib import Path

from . import tools

STUBS = ("CoreVideo", "CoreML", "CoreMedia", "AVFoundation", "CryptoKit", "UIKit", "SwiftUI")
SOURCES = ("TallyLens", "TallyLensCoreML", "TallyLensCamera", "CZlib")
MANIFEST = """// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "apple",
    targets: [
        .target(name: "CTally", path: "CTally", sources: ["src"], publicHeadersPath: "include"),
        .systemLibrary(name: "CZlib", path: "CZlib"),
        .target(name: "TallyLens", dependencies: ["CTally", "CZlib"], path: "TallyLens"),
        .target(name: "CoreVideo", path: "CoreVideo"),
        .target(name: "CryptoKit", path: "CryptoKit"),
        .target(name: "CoreML", dependencies: ["CoreVideo"], path: "CoreML"),
        .target(name: "CoreMedia", dependencies: ["CoreVideo"], path: "CoreMedia"),
        .target(name: "UIKit", path: "UIKit"),
        .target(name: "SwiftUI", dependencies: ["UIKit"], path: "SwiftUI"),
        .target(
            name: "AVFoundation", dependencies: ["CoreMedia", "UIKit"], path: "AVFoundation"),
        .target(
            name: "TallyLensCoreML", dependencies: ["TallyLens", "CoreML", "CryptoKit"],
            path: "TallyLensCoreML"),
        .target(
            name: "TallyLensCamera", dependencies: ["TallyLens", "AVFoundation"],
            path: "TallyLensCamera"),
        .target(
            name: "Guide", dependencies: ["TallyLens", "TallyLensCoreML", "TallyLensCamera"],
            path: "Guide"),
        .executableTarget(
            name: "Sample",
            dependencies: ["TallyLens", "TallyLensCoreML", "TallyLensCamera", "SwiftUI", "UIKit"],
            path: "Sample"),
        .testTarget(
            name: "AppleTests",
            dependencies: ["TallyLens", "TallyLensCoreML", "TallyLensCamera", "CTally"],
            path: "AppleTests"),
        .testTarget(
            name: "CoreMLTests", dependencies: ["TallyLens", "TallyLensCoreML"],
            path: "CoreMLTests"),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
"""


def prepare(snippets: str) -> Path:
    """The folder of the package, whose targets are links to the sources."""
    folder = tools.BUILD / "apple"
    folder.mkdir(parents=True, exist_ok=True)
    links = {name: tools.IOS / "Stubs" / name for name in STUBS}
    links |= {name: tools.IOS / "Sources" / name for name in SOURCES}
    links["CTally"] = tools.REPOSITORY / "edge_runtime" / "core"
    links["Sample"] = tools.IOS / "Sample" / "Sources"
    links |= {name: tools.IOS / "Tests" / name for name in ("AppleTests", "CoreMLTests")}
    for name, target in links.items():
        link = folder / name
        if not link.is_symlink() or link.resolve() != target.resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    _write(folder / "Package.swift", MANIFEST)
    (folder / "Guide").mkdir(exist_ok=True)
    _write(folder / "Guide" / "Guide.swift", snippets)
    return folder


def _write(file: Path, text: str) -> None:
    # An unchanged file is not compiled again.
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
