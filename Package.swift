// swift-tools-version: 6.0
import PackageDescription

// The module map of each C target is generated from its public headers.
let package = Package(
    name: "tallylens",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "TallyLens", targets: ["TallyLens"]),
        .library(name: "TallyLensCoreML", targets: ["TallyLensCoreML"]),
        .library(name: "TallyLensCamera", targets: ["TallyLensCamera"]),
        .library(name: "TallyLensLiteRT", targets: ["TallyLensLiteRT"]),
    ],
    targets: [
        .target(
            name: "CTally", path: "edge_runtime/core", sources: ["src"], publicHeadersPath: "include"),
        .target(
            name: "CLiteRT", dependencies: ["CTally"], path: "mobile_bindings/native",
            exclude: ["CMakeLists.txt", "README.md"],
            sources: [
                "engine_api.cpp", "engine_buffers.cpp", "engine_open.cpp", "engine_options.cpp",
                "engine_tensors.cpp", "litert_api.cpp",
            ],
            publicHeadersPath: "include",
            linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        .systemLibrary(
            name: "CZlib", path: "mobile_bindings/ios/Sources/CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "TallyLens", dependencies: ["CTally", "CZlib"],
            path: "mobile_bindings/ios/Sources/TallyLens"),
        .target(
            name: "TallyLensCoreML", dependencies: ["TallyLens", "CTally"],
            path: "mobile_bindings/ios/Sources/TallyLensCoreML"),
        .target(
            name: "TallyLensCamera", dependencies: ["TallyLens"],
            path: "mobile_bindings/ios/Sources/TallyLensCamera"),
        .target(
            name: "TallyLensLiteRT", dependencies: ["TallyLens", "CLiteRT", "CTally"],
            path: "mobile_bindings/ios/Sources/TallyLensLiteRT"),
        .target(
            name: "TallyLensLoopback", dependencies: ["TallyLens"],
            path: "mobile_bindings/ios/Tests/Loopback"),
        .executableTarget(
            name: "TallyLensConformance",
            dependencies: ["TallyLens", "TallyLensLiteRT", "TallyLensLoopback"],
            path: "mobile_bindings/ios/Sources/Conformance"),
        .testTarget(
            name: "CoreMLTests", dependencies: ["TallyLens", "TallyLensCoreML"],
            path: "mobile_bindings/ios/Tests/CoreMLTests"),
        .testTarget(
            name: "TallyLensTests",
            dependencies: ["TallyLens", "TallyLensLiteRT", "TallyLensLoopback", "CTally"],
            path: "mobile_bindings/ios/Tests/TallyLensTests"),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
