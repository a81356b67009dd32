import Foundation
import XCTest

@testable import TallyLens

/// An engine of several inferences at a time, which finds nothing.
private final class WideEngine: Engine {
    let metadata: ModelMetadata
    let name = "wide"
    let concurrentRuns = 2
    let atOnce = Guarded((now: 0, most: 0, all: 0))
    private let failsAt: Int

    init(failsAt: Int = .max) throws {
        self.failsAt = failsAt
        metadata = try ModelMetadata(document: Data(SlowEngine.document.utf8))
    }

    func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws { XCTFail("not one at a time") }

    func runConcurrently(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        let number = atOnce.use { state in
            state = (state.now + 1, max(state.most, state.now + 1), state.all + 1)
            return state.all
        }
        defer { atOnce.use { $0.now -= 1 } }
        Thread.sleep(forTimeInterval: 0.005)
        if number > failsAt { throw TallyLensError.fault("broken") }
        var input = [UInt8](repeating: 0, count: 32 * 32 * 3)
        try input.withUnsafeMutableBytes {
            try body($0, TensorFormat(type: .uint8, width: 32, height: 32))
        }
        try [Float](repeating: -20, count: 6).withUnsafeBytes {
            try heads([Head(index: 0, type: .float32, bytes: $0)])
        }
    }
}

/// Videos with two frames in flight.
final class VideoTests: XCTestCase {
    private struct Stop: Error {}

    private func frames(_ count: Int, stopAt: Int = .max) -> () throws -> TimedFrame? {
        var next = 0
        return {
            if next == stopAt { throw Stop() }
            if next == count { return nil }
            next += 1
            return (try LiveTests.gray(), Timestamp(nanoseconds: Int64(next)))
        }
    }

    func testFramesAreCountedInOrderTwoAtATime() throws {
        let engine = try WideEngine()
        let counter = try Counter(engine: engine)
        var times: [Int64] = []
        try counter.countAll(frames(30)) { times.append($0.timestamp.nanoseconds) }
        XCTAssertEqual(times, Array(1...30))
        XCTAssertEqual(counter.report.frames, 30)
        XCTAssertEqual(engine.atOnce.use { $0.most }, 2)
        XCTAssertGreaterThan(counter.report.speed.hostMs, 0)
    }

    func testOneAtATimeIsTheSame() throws {
        let counter = try Counter(engine: try SlowEngine(seconds: 0))
        try counter.countAll(frames(5))
        XCTAssertEqual(counter.report.frames, 5)
    }

    func testWhatFailsIsThrownAndTheFramesBeforeAreCounted() throws {
        let engine = try WideEngine(failsAt: 10)
        let counter = try Counter(engine: engine)
        XCTAssertThrowsError(try counter.countAll(frames(30))) {
            XCTAssertEqual(($0 as? TallyLensError)?.kind, .fault)
        }
        XCTAssertEqual(engine.atOnce.use { $0.now }, 0)
        XCTAssertTrue((9...10).contains(counter.report.frames), "\(counter.report.frames)")
        let other = try Counter(engine: try WideEngine())
        XCTAssertThrowsError(try other.countAll(frames(30, stopAt: 4))) { XCTAssertTrue($0 is Stop) }
        let told = try Counter(engine: try WideEngine())
        XCTAssertThrowsError(try told.countAll(frames(30)) { _ in throw Stop() })
        XCTAssertEqual(told.report.frames, 1)
    }

    func testRefusals() throws {
        XCTAssertThrowsError(try Counter(classNames: ["a"]).countAll(frames(1))) {
            XCTAssertTrue("\($0)".contains("no model"), "\($0)")
        }
        var options = CounterOptions()
        options.runningMode = .image
        let counter = try Counter(engine: try SlowEngine(seconds: 0), options: options)
        XCTAssertThrowsError(try counter.countAll(frames(1))) {
            XCTAssertEqual(($0 as? TallyLensError)?.kind, .usage)
        }
    }
}
