import CTally
import CoreML
import CoreVideo
import Foundation
import TallyLens
import TallyLensCoreML
import XCTest

/// Counts a video on a thread that may wait.
private struct VideoRun: Sendable {
    let engine: CoreMLEngine

    init(_ engine: CoreMLEngine) { self.engine = engine }

    func times(_ count: Int) async throws -> [Int64] {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "video").async {
                continuation.resume(with: Result { try self.counted(count) })
            }
        }
    }

    private func counted(_ count: Int) throws -> [Int64] {
        var (next, times) = (Int64(0), [Int64]())
        let pixels = [UInt8](repeating: 9, count: 64 * 32 * 3)
        try Counter(engine: engine).countAll {
            next += 1
            if next > count { return nil }
            let frame = try Frame(.bgr, width: 64, height: 32, copying: pixels)
            return (frame, Timestamp(nanoseconds: next))
        } update: {
            times.append($0.timestamp.nanoseconds)
        }
        return times
    }
}

/// The Core ML engine over a model that returns recorded heads.
final class CoreMLTests: XCTestCase {
    private let place = URL(fileURLWithPath: "/no/model.mlmodelc")
    private let small = """
        {"format_version": 1, "input_size": [32, 64], "colour_order": "RGB", "quantization": "fp16",
         "class_names": ["a"], "strides": [32], "anchors": [[[10, 10]]], "head_names": ["h"],
         "layout": "NCHW", "source_name": "n", "source_sha256": "",
             "weights_licence": "", "passes": []}
        """

    private func recording() -> Recording {
        let made = Recording()
        made.about = ["tallylens": small]
        made.shapes = ["h": [1, 6, 1, 2]]
        made.heads = ["h": [UInt8](repeating: 0, count: 48)]
        Recording.current = made
        return made
    }

    private func refusal(_ text: String, _ call: () async throws -> Void) async {
        do {
            try await call()
            XCTFail("no error, but \(text) was expected")
        } catch {
            XCTAssertTrue("\(error)".contains(text), "\(error)")
        }
    }

    private static func detect(_ engine: CoreMLEngine) throws -> [Detection] {
        var options = CounterOptions()
        options.runningMode = .image
        let pixels = [UInt8](repeating: 9, count: 64 * 32 * 3)
        return try Counter(engine: engine, options: options)
            .detect(Frame(.bgr, width: 64, height: 32, copying: pixels))
    }

    func testALoadThatHangsFallsBackToTheCPU() async throws {
        let model = recording()
        model.loadSeconds = 30
        let engine = try await CoreMLEngine.load(place, timeout: .milliseconds(50))
        XCTAssertEqual(engine.name, "coreml-cpuOnly")
        XCTAssertTrue(try XCTUnwrap(engine.warning).contains("it runs on the CPU"))
        XCTAssertEqual(model.loads, [.cpuAndNeuralEngine, .cpuOnly])
        var options = CounterOptions()
        options.runningMode = .image
        let counter = try Counter(engine: engine, options: options)
        XCTAssertTrue(counter.report.warnings[0].contains("took over 0 s"))
    }

    func testTheComputePlanIsTold() async throws {
        let model = recording()
        let engine = try await CoreMLEngine.load(place)
        let (neural, cpu) = (MLNeuralEngineComputeDevice(), MLCPUComputeDevice())
        model.plan = [
            .neuralEngine(neural), .neuralEngine(neural), nil, .cpu(cpu), .gpu(MLGPUComputeDevice()),
        ]
        let found = try await engine.computePlan()
        let plan = try XCTUnwrap(found)
        XCTAssertEqual([plan.neuralEngine, plan.gpu, plan.cpu], [2, 1, 1])
        XCTAssertEqual(
            "\(plan)", "2 of 4 operations on the Neural Engine, 1 on the GPU, 1 on the CPU")
        model.plan = nil
        let none = try await engine.computePlan()
        XCTAssertNil(none)
    }

    func testTwoFramesOfAVideoAreInFlight() async throws {
        let model = recording()
        model.predictionSeconds = 0.02
        let engine = try await CoreMLEngine.load(place)
        let frames = 12
        let times = try await VideoRun(engine).times(frames)
        XCTAssertEqual(times, Array(1...Int64(frames)))
        XCTAssertEqual(model.most, 2)
        // Alone again after that; and a failure ends the video.
        XCTAssertEqual(try CoreMLTests.detect(engine).count, 2)
        model.fails = true
        await refusal("MLStubError") { _ = try await VideoRun(engine).times(frames) }
    }

    func testComputeUnits() async throws {
        for (units, native) in [(ComputeUnits.all, MLComputeUnits.all), (.cpuOnly, .cpuOnly)] {
            let model = recording()
            let engine = try await CoreMLEngine.load(place, computeUnits: units)
            XCTAssertEqual(model.loads, [native])
            XCTAssertEqual(engine.name, "coreml-\(units.rawValue)")
            XCTAssertNil(engine.warning)
        }
    }

    func testAPackageIsCompiledOnce() async throws {
        let model = recording()
        let package = FileManager.default.temporaryDirectory.appendingPathComponent(
            "\(UUID().uuidString).mlpackage", isDirectory: true)
        try FileManager.default.createDirectory(at: package, withIntermediateDirectories: true)
        try Data(UUID().uuidString.utf8).write(to: package.appendingPathComponent("model"))
        try FileManager.default.createDirectory(
            at: package.appendingPathComponent("weights"), withIntermediateDirectories: true)
        _ = try await CoreMLEngine.load(package)
        _ = try await CoreMLEngine.load(package)
        XCTAssertEqual(model.compiled, 1)
        try Data(UUID().uuidString.utf8).write(to: package.appendingPathComponent("model"))
        _ = try await CoreMLEngine.load(package)
        XCTAssertEqual(model.compiled, 2)
        let file = package.appendingPathComponent("model")
        _ = try await CoreMLEngine.load(file)
        XCTAssertEqual(model.compiled, 3)
        model.compilesToNothing = true
        try Data(UUID().uuidString.utf8).write(to: package.appendingPathComponent("model"))
        _ = try await CoreMLEngine.load(package)
        _ = try await CoreMLEngine.load(package)
        XCTAssertEqual(model.compiled, 5)
        model.fails = true
        await refusal("/none.mlpackage cannot be read") {
            _ = try await CoreMLEngine.load(URL(fileURLWithPath: "/none.mlpackage"))
        }
        await refusal("cannot compile") { _ = try await CoreMLEngine.load(package) }
    }

    func testModelsThatAreRefused() async throws {
        let place = place
        recording().about = [:]
        await refusal("tallylens did not write") { _ = try await CoreMLEngine.load(place) }
        recording().shapes = [:]
        await refusal("no output h") { _ = try await CoreMLEngine.load(place) }
        recording().type = .int32
        await refusal("numbers of type 131104") { _ = try await CoreMLEngine.load(place) }
        recording().inputs = ["image", "threshold"]
        await refusal("has not one input") { _ = try await CoreMLEngine.load(place) }
        _ = recording()
        CVPixelBuffer.isRefused = true
        await refusal("no memory for an input of 64x32") { _ = try await CoreMLEngine.load(place) }
        CVPixelBuffer.isRefused = false
        recording().fails = true
        await refusal("cannot load the model") { _ = try await CoreMLEngine.load(place) }
        recording().about = ["tallylens": "{}"]
        await refusal("missing or has the wrong type") { _ = try await CoreMLEngine.load(place) }
    }

    func testPredictionsThatFail() async throws {
        let model = recording()
        let engine = try await CoreMLEngine.load(place)
        XCTAssertEqual(try CoreMLTests.detect(engine).count, 2)
        model.heads = [:]
        await refusal("gave no h") { _ = try CoreMLTests.detect(engine) }
        model.fails = true
        await refusal("MLStubError") { _ = try CoreMLTests.detect(engine) }
        model.fails = false
        model.rowBytes = 64
        model.shapes = ["h": [1, 6, 2, 2]]
        model.heads = ["h": [UInt8](repeating: 0, count: 96)]
        await refusal("has shape [1, 6, 2, 2]") { _ = try CoreMLTests.detect(engine) }
    }

    func testAnEngineIsUsedByManyCountersAtOnce() async throws {
        recording().predictionSeconds = 0.01
        let engine = try await CoreMLEngine.load(place)
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask { (try? CoreMLTests.detect(engine).count) ?? -1 }
            }
            for await count in group { XCTAssertEqual(count, 2) }
        }
    }
}
