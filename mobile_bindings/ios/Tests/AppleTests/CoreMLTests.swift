import CTally
import CoreML
import CoreVideo
import Foundation
import TallyLens
import TallyLensCoreML
import XCTest

/// What `swift_checks/record.py` writes.
private struct Recorded: Decodable {
    struct Frame: Decodable {
        var timestamp_ns: Int64
        var input: UInt32
        var f32: [[Int32]]
        var f16: [[Int32]]
    }
    var about: [String: String]
    var shapes: [[Int]]
    var frames: [Frame]
}

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

    func testRecordedHeads() async throws {
        let folders = (ProcessInfo.processInfo.environment["TALLYLENS_RECORDINGS"] ?? "")
            .split(separator: ":").map { URL(fileURLWithPath: String($0)) }
        XCTAssertFalse(folders.isEmpty, "TALLYLENS_RECORDINGS names no folder")
        for folder in folders {
            let recorded = try JSONDecoder().decode(
                Recorded.self, from: Data(contentsOf: folder.appendingPathComponent("recording.json")))
            for type in [MLMultiArrayDataType.float32, .float16] {
                for padded in [0, 64, 192] {
                    try await check(recorded, folder, type, padded)
                }
            }
        }
    }

    private func check(
        _ recorded: Recorded, _ folder: URL, _ type: MLMultiArrayDataType, _ padded: Int
    ) async throws {
        let isHalf = type == .float16
        let label = "\(folder.lastPathComponent) \(isHalf ? "float16" : "float32") \(padded)"
        let metadata = try ModelMetadata(document: Data(recorded.about["tallylens"]!.utf8))
        let model = Recording()
        model.about = recorded.about
        model.shapes = Dictionary(uniqueKeysWithValues: zip(metadata.headNames, recorded.shapes))
        (model.type, model.rowBytes) = (type, padded)
        Recording.current = model
        let engine = try await CoreMLEngine.load(place)
        var options = CounterOptions()
        options.runningMode = .image
        let counter = try Counter(engine: engine, options: options)
        let heads = try Data(
            contentsOf: folder.appendingPathComponent(isHalf ? "heads.f16" : "heads.f32"),
            options: .alwaysMapped)
        let frames = try Data(
            contentsOf: folder.appendingPathComponent("frames.tlfr"), options: .alwaysMapped)
        var at = 0
        for (index, frame) in recorded.frames.enumerated() {
            for (name, shape) in zip(metadata.headNames, recorded.shapes) {
                let bytes = shape.reduce(1, *) * (isHalf ? 2 : 4)
                model.heads[name] = [UInt8](heads[at..<at + bytes])
                at += bytes
            }
            let found = try counter.detect(try image(frames, index))
            let wanted = isHalf ? frame.f16 : frame.f32
            XCTAssertEqual(found.map(bits), wanted, "\(label) \(index)")
            XCTAssertEqual(engine.outputsInPlace, padded == 0 ? metadata.headNames.count : 0)
            XCTAssertEqual(inputChecksum(model.input!), frame.input, "\(label) \(index)")
            if isHalf { near(found, frame.f32, label) }
        }
        XCTAssertEqual(at, heads.count)
        print("recorded heads \(label): \(recorded.frames.count) frames")
    }

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

    private func bits(_ one: Detection) -> [Int32] {
        [one.x1, one.y1, one.x2, one.y2, one.confidence].map { Int32(bitPattern: $0.bitPattern) }
            + [Int32(one.classID)]
    }

    /// Half precision: the same objects within 0.1 pixels, but for those at the edge of a threshold.
    private func near(_ found: [Detection], _ wanted: [[Int32]], _ label: String) {
        func value(_ bits: Int32) -> Float { Float(bitPattern: UInt32(bitPattern: bits)) }
        for one in found where one.confidence > 0.3 {
            let sides = [one.x1, one.y1, one.x2, one.y2]
            XCTAssertTrue(
                wanted.contains { row in
                    Int(row[5]) == one.classID
                        && zip(row, sides).allSatisfy { abs(value($0) - $1) <= 0.1 }
                }, "\(label): \(one)")
        }
    }

    /// zlib's checksum of the input as RGB, as the recording has it.
    private func inputChecksum(_ buffer: CVPixelBuffer) -> UInt32 {
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        let start = CVPixelBufferGetBaseAddress(buffer)!
        let row = CVPixelBufferGetBytesPerRow(buffer)
        var crc = ~UInt32(0)
        for y in 0..<CVPixelBufferGetHeight(buffer) {
            let pixels = start.advanced(by: y * row).assumingMemoryBound(to: UInt8.self)
            for x in 0..<CVPixelBufferGetWidth(buffer) {
                for channel in [2, 1, 0] {
                    crc = CoreMLTests.table[Int(UInt8(truncatingIfNeeded: crc) ^ pixels[4 * x + channel])]
                        ^ (crc >> 8)
                }
            }
        }
        return ~crc
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? 0xEDB8_8320 ^ (crc >> 1) : crc >> 1 }
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
