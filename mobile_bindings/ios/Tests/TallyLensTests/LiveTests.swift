import Foundation
import XCTest

@testable import TallyLens

/// An engine that takes a while and finds nothing.
final class SlowEngine: Engine {
    let metadata: ModelMetadata
    let name = "slow"
    private let seconds: Double

    init(seconds: Double, classNames: [String] = ["a"]) throws {
        self.seconds = seconds
        let names = classNames.map { "\"\($0)\"" }.joined(separator: ", ")
        let document = SlowEngine.document.replacingOccurrences(of: "\"a\"", with: names)
        metadata = try ModelMetadata(document: Data(document.utf8))
    }

    static let document = """
        {"format_version": 1, "input_size": [32, 32], "colour_order": "RGB", "quantization": "none",
         "class_names": ["a"], "strides": [32], "anchors": [[[10, 10]]], "head_names": ["h"],
         "layout": "NHWC", "source_name": "slow", "source_sha256": "",
             "weights_licence": "", "passes": []}
        """

    func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        var input = [UInt8](repeating: 0, count: 32 * 32 * 3)
        try input.withUnsafeMutableBytes {
            try body($0, TensorFormat(type: .uint8, width: 32, height: 32))
        }
        Thread.sleep(forTimeInterval: seconds)
        try [Float](repeating: -20, count: 6).withUnsafeBytes {
            try heads([Head(index: 0, type: .float32, bytes: $0)])
        }
    }
}

/// Live streams: what is dropped is told, and the numbers add up.
final class LiveTests: XCTestCase {
    private func counter(_ seconds: Double, _ change: (inout CounterOptions) -> Void = { _ in })
        throws -> Counter
    {
        var options = CounterOptions()
        options.runningMode = .liveStream
        change(&options)
        return try Counter(engine: try SlowEngine(seconds: seconds), options: options)
    }

    private func frame(_ bytes: Int = 3 * 64 * 48) throws -> sending Frame {
        try LiveTests.gray(bytes)
    }

    static func gray(_ bytes: Int = 3 * 64 * 48) throws -> sending Frame {
        try Frame(.bgr, width: 64, height: 48, copying: [UInt8](repeating: 0, count: bytes))
    }

    private func offer(_ counter: Counter, _ count: Int, every seconds: Double) throws {
        for i in 1...count {
            counter.submit(try frame(), at: Timestamp(nanoseconds: Int64(i) * 33_000_000))
            Thread.sleep(forTimeInterval: seconds)
        }
    }

    func testEveryFrameIsCountedDroppedOrSkipped() throws {
        let counter = try counter(0.02)
        try offer(counter, 100, every: 0.003)
        XCTAssertEqual(
            counter.submit(try frame(), at: Timestamp(nanoseconds: 1)), .dropped(.late))
        counter.drain()
        let report = counter.report
        XCTAssertEqual(101, report.frames + report.dropped + report.skipped)
        XCTAssertGreaterThan(report.dropped, 1)
        XCTAssertEqual(report.engine, "slow")
    }

    func testUpdatesTellAllDropsAlsoToASlowReader() async throws {
        let counter = try counter(0.01)
        let updates = counter.updates
        let reader = Task {
            var (told, seen) = (0, 0)
            for await update in updates {
                told += update.dropped.total
                seen += 1
                try? await Task.sleep(nanoseconds: 60_000_000)
            }
            return (told, seen)
        }
        for i in 1...60 {
            counter.submit(try frame(), at: Timestamp(nanoseconds: Int64(i) * 33_000_000))
            try await Task.sleep(nanoseconds: 4_000_000)
        }
        counter.drain()
        let report = counter.report
        counter.close()
        let (told, seen) = await reader.value
        XCTAssertLessThanOrEqual(seen, report.frames)
        XCTAssertTrue((0...2).contains(report.dropped - told), "\(report.dropped) \(told)")
        XCTAssertEqual(60, report.frames + report.dropped)
    }

    func testAReaderThatIsCancelledEnds() async throws {
        let counter = try counter(0)
        let updates = counter.updates
        let reader = Task { for await _ in updates {} }
        try await Task.sleep(nanoseconds: 20_000_000)
        reader.cancel()
        await reader.value
        counter.close()
        for await _ in counter.updates { XCTFail("a closed counter has no updates") }
    }

    func testAFrameThatCannotBeCountedIsToldAndCounted() throws {
        let counter = try counter(0)
        counter.submit(try frame(100), at: Timestamp(nanoseconds: 1))
        counter.drain()
        XCTAssertEqual(counter.lastError?.kind, .usage)
        XCTAssertEqual(counter.report.dropped, 1)
        counter.submit(try frame(), at: Timestamp(nanoseconds: 2))
        counter.drain()
        XCTAssertEqual(counter.report.frames, 1)
    }

    func testHeatTakesStepsAndReturnsThem() throws {
        let counter = try counter(0)
        XCTAssertEqual(counter.level, Level())
        counter.thermalStateChanged(.serious)
        XCTAssertEqual(counter.level.rate, 4)
        counter.thermalStateChanged(.critical)
        XCTAssertTrue(counter.level.paused)
        XCTAssertEqual(
            counter.submit(try frame(), at: Timestamp(nanoseconds: 1)),
            .dropped(.governor("too_hot")))
        counter.thermalStateChanged(.nominal)
        for second in 1...60 {
            counter.submit(try frame(), at: Timestamp(seconds: Double(second)))
            counter.drain()
        }
        XCTAssertEqual(counter.level.rate, 1)
        XCTAssertGreaterThanOrEqual(counter.report.skipped, 1)
        let report = counter.report
        XCTAssertEqual(61, report.frames + report.dropped + report.skipped)
    }

    func testACounterOfAnotherModeTakesNoCameraAndSaysSo() throws {
        let counter = try Counter(engine: try SlowEngine(seconds: 0))
        let admission = counter.submit(try frame(), at: Timestamp(nanoseconds: 1))
        XCTAssertEqual(admission, .dropped(.runningMode))
        XCTAssertTrue("\(try XCTUnwrap(counter.lastError))".contains("not video"))
    }

    func testATimeThatIsNoNumberIsLate() throws {
        let counter = try counter(0)
        for seconds in [Double.nan, .infinity, -.infinity, 1e300] {
            let time = Timestamp(seconds: seconds)
            XCTAssertEqual(counter.submit(try frame(), at: time), .dropped(.late))
        }
        XCTAssertEqual(counter.report.dropped, 4)
        XCTAssertEqual(Timestamp(seconds: 1.5).nanoseconds, 1_500_000_000)
    }

    func testFramesThatTheCameraLostAreDropped() throws {
        let counter = try counter(0)
        counter.cameraDropped(Drops(busy: 2, late: 1))
        XCTAssertEqual(counter.report.dropped, 3)
    }

    func testDropsSurviveASavedState() throws {
        let first = try counter(0)
        first.submit(try frame(), at: Timestamp(nanoseconds: 5))
        first.submit(try frame(), at: Timestamp(nanoseconds: 4))
        first.drain()
        let second = try counter(0)
        try second.restoreState(try first.saveState())
        XCTAssertEqual(second.report.dropped, first.report.dropped)
        XCTAssertEqual(second.report.frames, first.report.frames)
    }

    /// For the sanitizers: everything at once, from several threads.
    func testConcurrentUse() async throws {
        for _ in 0..<20 {
            let counter = try counter(0.0005)
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        for i in 0..<30 {
                            if worker == 0 { counter.thermalStateChanged(i % 2 == 0 ? .fair : .nominal) }
                            if worker == 1 { _ = try? counter.saveState() }
                            if worker == 2 { _ = counter.report }
                            let time = Timestamp(nanoseconds: Int64(worker + 4 * i))
                            counter.submit(try! LiveTests.gray(), at: time)
                        }
                        if worker == 3 { counter.close() }
                    }
                }
            }
        }
    }

    func testTenThousandCounters() throws {
        for i in 0..<10_000 {
            let counter = try Counter(classNames: ["a"])
            if i % 10 == 0 {
                _ = try counter.count([], width: 64, height: 48, at: Timestamp(nanoseconds: 1))
            }
        }
    }
}
