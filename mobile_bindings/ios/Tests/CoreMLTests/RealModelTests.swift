#if canImport(CoreML)
import CoreML
import Foundation
import TallyLens
import TallyLensCoreML
import XCTest

/// Apple's Core ML against the heads that Python's evaluator computed for the same package and frames.
///
/// `TALLYLENS_RECORDINGS` names folders that `swift_checks.record` wrote, each with its package beside it
/// (`FOLDER/package/*.mlpackage`), joined by colons. Runs on Apple's systems only.
final class RealModelTests: XCTestCase {
    private struct Recorded: Decodable {
        struct Frame: Decodable {
            var f32: [[Int32]]
        }
        var frames: [Frame]
    }

    /// Of the boxes that are surely there: more confident than this.
    private static let sure: Float = 0.4
    /// How many of these have to be found, in their places: Core ML rounds otherwise on each processor.
    private static let share = 0.98
    private static let pixels: Float = 2

    func testRecordedFrames() async throws {
        let named = ProcessInfo.processInfo.environment["TALLYLENS_RECORDINGS"] ?? ""
        try XCTSkipIf(named.isEmpty, "TALLYLENS_RECORDINGS names no folder of recordings")
        for name in named.split(separator: ":") {
            let folder = URL(fileURLWithPath: String(name))
            for units in [ComputeUnits.cpuOnly, .cpuAndNeuralEngine] {
                try await check(folder, units)
            }
        }
    }

    private func check(_ folder: URL, _ units: ComputeUnits) async throws {
        let packages = try FileManager.default.contentsOfDirectory(
            at: folder.appendingPathComponent("package"), includingPropertiesForKeys: nil)
        let package = try XCTUnwrap(packages.first { $0.pathExtension == "mlpackage" })
        let recorded = try JSONDecoder().decode(
            Recorded.self, from: Data(contentsOf: folder.appendingPathComponent("recording.json")))
        let frames = try Data(contentsOf: folder.appendingPathComponent("frames.tlfr"))
        let engine = try await CoreMLEngine.load(package, computeUnits: units)
        XCTAssertNil(engine.warning)
        var options = CounterOptions()
        options.runningMode = .image
        let counter = try Counter(engine: engine, options: options)
        var (sure, found) = (0, 0)
        for (index, frame) in recorded.frames.enumerated() {
            let here = try counter.detect(try image(frames, index))
            for row in frame.f32 where value(row[4]) > RealModelTests.sure {
                sure += 1
                if here.contains(where: { isNear($0, row) }) { found += 1 }
            }
        }
        XCTAssertGreaterThan(sure, 20)
        XCTAssertGreaterThanOrEqual(
            Double(found), RealModelTests.share * Double(sure), "\(package.lastPathComponent) \(units)")
        print("Core ML \(package.lastPathComponent) \(units): \(found) of \(sure) boxes")
        if let plan = try await engine.computePlan() { print("  \(plan)") }
    }

    private func isNear(_ one: Detection, _ row: [Int32]) -> Bool {
        let sides = zip([one.x1, one.y1, one.x2, one.y2], row)
        return one.classID == Int(row[5])
            && sides.allSatisfy { abs($0 - value($1)) <= RealModelTests.pixels }
    }

    private func value(_ bits: Int32) -> Float { Float(bitPattern: UInt32(bitPattern: bits)) }

    private func image(_ file: Data, _ index: Int) throws -> Frame {
        func number(_ at: Int) -> Int {
            file[at..<at + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let (width, height) = (number(4), number(8))
        let start = 16 + index * (8 + 3 * width * height) + 8
        return try Frame(
            .bgr, width: width, height: height,
            copying: [UInt8](file[start..<start + 3 * width * height]))
    }
}
#endif
