// swift-tools-version: 6.0
// The sample as an app of Swift Playgrounds and Xcode, without a project: open this folder.
import AppleProductTypes
import PackageDescription

let package = Package(
    name: "Sample",
    platforms: [.iOS("16.0")],
    products: [
        .iOSApplication(
            name: "Sample", targets: ["Sample"], bundleIdentifier: "io.tallylens.sample",
            displayVersion: "1.0", bundleVersion: "1",
            supportedDeviceFamilies: [.phone, .pad], supportedInterfaceOrientations: [.portrait],
            capabilities: [
                .camera(purposeString: "Counts who crosses the line. No image leaves the device.")
            ])
    ],
    dependencies: [.package(name: "tallylens", path: "../../..")],
    targets: [
        .executableTarget(
            name: "Sample",
            dependencies: [
                .product(name: "TallyLens", package: "tallylens"),
                .product(name: "TallyLensCoreML", package: "tallylens"),
                .product(name: "TallyLensCamera", package: "tallylens"),
            ],
            path: "Sources")
    ]
)
