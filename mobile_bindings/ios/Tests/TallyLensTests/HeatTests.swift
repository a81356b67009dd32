import Foundation
import XCTest

@testable import TallyLens

/// The scripts of heat in `governor.json`, through a live counter: each level is in force, and told.
final class HeatTests: XCTestCase {
    /// The vectors' states of Android; iOS has none between fair and serious, and stays at fair.
    private static let states: [Int: ThermalState] = [
        0: .nominal, 1: .fair, 2: .fair, 3: .serious, 4: .critical,
    ]

    private struct Change: Equatable {
        var nanoseconds: Int64
        var rate: Int
        var paused: Bool
    }

    func testTheScriptsOfTheVectors() async throws {
        for name in ["none, severe, none", "too hot"] {
            let one = try XCTUnwrap(
                try Vectors.cases("governor.json").first { $0["name"] as? String == name })
            try await check(one, name)
        }
    }

    private func check(_ one: JSON, _ name: String) async throws {
        let changes = (one["expected"] as! JSON)["changes"] as! [[Any]]
        let wanted = changes.filter { $0[1] as! String != "warm" }.map { row in
            Change(
                nanoseconds: (row[0] as! NSNumber).int64Value, rate: (row[3] as! NSNumber).intValue,
                paused: (row[2] as! NSNumber).intValue != 0)
        }
        let counter = try liveCounter()
        let told = Task { [updates = counter.updates] in
            var levels: [Level] = []
            for await update in updates where update.level != levels.last { levels.append(update.level) }
            return levels
        }
        let seen = try await run(counter, one)
        counter.close()
        XCTAssertEqual(seen.map(\.rate), wanted.map(\.rate), name)
        XCTAssertEqual(seen.map(\.paused), wanted.map(\.paused), name)
        // Heat is told between two frames; all else is decided with a frame.
        for (a, b) in zip(seen, wanted) {
            XCTAssertLessThanOrEqual(abs(a.nanoseconds - b.nanoseconds), 100_000_000, name)
        }
        let levels = await told.value
        XCTAssertEqual(levels.last?.rate, 1, name)
        // A level without frames has no update; the next one tells that it is over.
        let rates = wanted.filter { !$0.paused }.map(\.rate)
        XCTAssertEqual(levels.map(\.rate).filter(Set(rates).contains).suffix(rates.count), rates[...], name)
    }

    private func liveCounter() throws -> Counter {
        var options = CounterOptions()
        options.runningMode = .liveStream
        return try Counter(engine: try SlowEngine(seconds: 0), options: options)
    }

    /// Offer every frame of a script; the changes of the level.
    private func run(_ counter: Counter, _ one: JSON) async throws -> [Change] {
        var inputs: [Int: Int] = [:]
        for input in one["inputs"] as! [[Any]] {
            inputs[input[0] as! Int] = (input[1] as! [String: NSNumber])["thermal"]!.intValue
        }
        let frames = one["frames"] as! [[Any]]
        var changes: [Change] = []
        var level = counter.level
        // After a step that iOS does not have, other frames of each four are chosen.
        let isExact = !inputs.values.contains(2)
        for (index, frame) in frames.enumerated() {
            if let state = inputs[index] {
                counter.thermalStateChanged(HeatTests.states[state]!)
            }
            let time = Timestamp(nanoseconds: (frame[0] as! NSNumber).int64Value)
            let admission = counter.submit(try LiveTests.gray(), at: time)
            if isExact {
                let reason = frame[1] as? String
                XCTAssertEqual(
                    admission, reason.map { .dropped(.governor($0)) } ?? .accepted, "frame \(index)")
            }
            counter.drain()
            if counter.level != level {
                level = counter.level
                changes.append(
                    Change(nanoseconds: time.nanoseconds, rate: level.rate, paused: level.paused))
                // So that the reader takes each update by itself.
                try await Task.sleep(nanoseconds: 5_000_000)
            }
        }
        let report = counter.report
        XCTAssertEqual(frames.count, report.frames + report.dropped + report.skipped)
        return changes
    }
}
