import Foundation
import XCTest

@testable import TallyLens

/// The counter with detections that are given.
final class CounterTests: XCTestCase {
    private let names = ["person", "car"]

    private func box(_ y: Float, _ classID: Int = 0) -> [Detection] {
        [Detection(x1: 100, y1: y - 60, x2: 140, y2: y, confidence: 0.9, classID: classID)]
    }

    @discardableResult
    private func walk(_ counter: Counter, _ frames: ClosedRange<Int>) throws -> [CountEvent] {
        try frames.flatMap { i in
            try counter.count(
                box(100 + 4 * Float(i)), width: 320, height: 400,
                at: Timestamp(nanoseconds: Int64(i) * 40_000_000)
            ).events
        }
    }

    private func options() -> CounterOptions {
        var options = CounterOptions()
        options.lines = [Line(0, 0.5, 1, 0.5, name: "road")]
        return options
    }

    private func refusal(
        _ kind: TallyLensError.Kind, _ text: String, line: UInt = #line, _ call: () throws -> Void
    ) {
        XCTAssertThrowsError(try call(), line: line) { error in
            let ours = error as? TallyLensError
            XCTAssertEqual(ours?.kind, kind, "\(error)", line: line)
            XCTAssertTrue(text.isEmpty || "\(error)".contains(text), "\(error)", line: line)
        }
    }

    func testAnObjectThatCrossesIsCounted() throws {
        let counter = try Counter(classNames: names, options: options())
        let events = try walk(counter, 1...60)
        XCTAssertEqual(events.map(\.kind), [.confirmed, .crossedIn])
        XCTAssertEqual(events[1].region, "road")
        XCTAssertEqual(counter.report.unique, ["person": 1])
        XCTAssertEqual(counter.report.lines[0].crossedIn, ["person": 1])
    }

    func testASavedCountGoesOn() throws {
        let whole = try Counter(classNames: names, options: options())
        let all = try walk(whole, 1...60)
        let first = try Counter(classNames: names, options: options())
        let before = try walk(first, 1...30)
        let state = try first.saveState()
        XCTAssertLessThanOrEqual(state.count, 3072)
        first.close()
        let second = try Counter(classNames: names, options: options())
        try second.restoreState(state)
        XCTAssertEqual(try before + walk(second, 31...60), all)
        var (a, b) = (whole.report, second.report)
        (a.speed, b.speed) = (Speed(), Speed())
        XCTAssertEqual(a, b)
        XCTAssertEqual(try whole.saveState(), try second.saveState())
    }

    func testADamagedStateIsRefusedAndTheCounterIsAsItWas() throws {
        let counter = try Counter(classNames: names, options: options())
        try walk(counter, 1...30)
        let state = try counter.saveState()
        for i in state.indices {
            var damaged = state
            damaged[i] &+= 1
            XCTAssertThrowsError(try counter.restoreState(damaged), "byte \(i)")
        }
        for length in [0, 1, 16, state.count - 1] {
            refusal(.state, "") { try counter.restoreState(state.prefix(length)) }
        }
        XCTAssertEqual(try counter.saveState(), state)
    }

    func testAStateOfOtherRegionsIsRefused() throws {
        let counter = try Counter(classNames: names, options: options())
        try walk(counter, 1...30)
        let state = try counter.saveState()
        let other = try Counter(classNames: names)
        refusal(.state, "Start a new count") { try other.restoreState(state) }
        let renamed = try Counter(classNames: ["dog", "cat"], options: options())
        refusal(.state, "other classes") { try renamed.restoreState(state) }
    }

    func testClassesThatAreNotWantedAreNotCounted() throws {
        var options = options()
        options.classes = ["car"]
        let counter = try Counter(classNames: names, options: options)
        XCTAssertEqual(try walk(counter, 1...60), [])
        XCTAssertEqual(counter.report.unique, [:])
        XCTAssertEqual(
            counter.report.warnings, ["no object of the chosen classes, but 1 person"])
        XCTAssertEqual(counter.report.uncounted.otherClasses, ["person": 60])
    }

    func testTheReportIsADocumentThatCanBeReadAgain() throws {
        let counter = try Counter(classNames: names, options: options())
        try walk(counter, 1...60)
        let data = try counter.report.json()
        let again = try JSONDecoder().decode(CountReport.self, from: data)
        XCTAssertEqual(try again.json(), data)
        let keys = try XCTUnwrap(try JSONSerialization.jsonObject(with: data) as? JSON).keys
        XCTAssertEqual(
            Set(keys),
            [
                "source", "model", "engine", "frames", "seconds", "unique", "lines", "zones",
                "occupancy", "warnings", "speed", "interrupted", "started", "dropped", "skipped",
                "uncounted", "periods",
            ])
    }

    func testRefusals() throws {
        let counter = try Counter(classNames: names, options: options())
        let five = Timestamp(nanoseconds: 5)
        let six = Timestamp(nanoseconds: 6)
        _ = try counter.count([], width: 320, height: 400, at: five)
        refusal(.timestamp, "the timestamp 5 ns is not later than 5 ns. Give each frame") {
            _ = try counter.count([], width: 320, height: 400, at: five)
        }
        refusal(.usage, "320x401") { _ = try counter.count([], width: 320, height: 401, at: six) }
        refusal(.usage, "class id") {
            _ = try counter.count(self.box(100, 2), width: 320, height: 400, at: six)
        }
        refusal(.usage, "finite") {
            _ = try counter.count(self.box(.nan), width: 320, height: 400, at: six)
        }
        refusal(.usage, "the counter has no model") {
            let pixels = [UInt8](repeating: 0, count: 3 * 320 * 400)
            let frame = try Frame(.bgr, width: 320, height: 400, copying: pixels)
            _ = try counter.count(frame, at: six)
        }
        refusal(.usage, "running mode") {
            let frame = try Frame(.bgr, width: 1, height: 1, copying: [0, 0, 0])
            _ = try counter.detect(frame)
        }
        refusal(.usage, "there are no class names") { _ = try Counter(classNames: []) }
    }

    func testOptionsThatAreRefused() throws {
        func refused(_ text: String, _ change: (inout CounterOptions) -> Void) {
            var options = CounterOptions()
            change(&options)
            refusal(.usage, text) {
                let counter = try Counter(classNames: self.names, options: options)
                _ = try counter.count(
                    [], width: 320, height: 400, at: Timestamp(nanoseconds: 1))
            }
        }
        refused("unknown class 'dog'") { $0.classes = ["dog"] }
        refused("no length") { $0.lines = [Line(0.5, 0.5, 0.5, 0.5)] }
        refused("mix fractions") { $0.lines = [Line(0, 0.5, 300, 0.5)] }
        refused("two different names") { $0.lines = [Line(0, 0, 1, 1, inName: "a", outName: "a")] }
        refused("invalid coordinate") { $0.lines = [Line(0, .nan, 1, 1)] }
        refused("collinear") { $0.zones = [Zone([0, 0, 0.5, 0.5, 1, 1])] }
        refused("sides of a zone cross") { $0.zones = [Zone([0, 0, 1, 1, 1, 0, 0, 1])] }
        refused("coordinates") { $0.zones = [Zone([0, 0, 1, 1])] }
        refused("outside the frame") { $0.lines = [Line(5, 900, 50, 900)] }
        refused("maxFPS") { $0.maxFPS = -1 }
        refused("budget") { $0.budget = .zero }
        refused("confidence") { $0.confidence = 2 }
    }

    func testACallAfterCloseThrows() throws {
        let counter = try Counter(classNames: names)
        try walk(counter, 1...2)
        counter.close()
        counter.close()
        refusal(.closed, "the counter is closed") { try self.walk(counter, 3...3) }
        refusal(.closed, "the counter is closed") { _ = try counter.saveState() }
        counter.thermalStateChanged(.serious)
    }
}
