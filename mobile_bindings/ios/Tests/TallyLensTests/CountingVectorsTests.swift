import Foundation
import XCTest

@testable import TallyLens

/// The scenes of `counting.json` and `ignored.json`, whole and saved half way.
final class CountingVectorsTests: XCTestCase {
    func testAllCases() throws {
        for file in ["counting.json", "ignored.json"] { try checkAll(file) }
    }

    private func checkAll(_ file: String) throws {
        let cases = try Vectors.cases(file)
        var ran = 0
        for one in cases {
            for interrupted in [false, true] {
                let name = try XCTUnwrap(one["name"] as? String)
                try check(one, name: "\(name) \(interrupted)", interrupted)
            }
            ran += 1
        }
        XCTAssertGreaterThan(ran, 0)
        XCTAssertEqual(ran, cases.count)
        print("vectors \(file): \(ran) cases")
    }

    private func check(_ one: JSON, name: String, _ interrupted: Bool) throws {
        let options = try Vectors.options(one)
        let given = one["options"] as? JSON ?? [:]
        let count = options.anyClass ? 4 : (given["num_classes"] as? Int ?? 4)
        let classes = (0..<count).map { "\($0)" }
        var counter = try Counter(classNames: classes, options: options)
        var events: [CountEvent] = []
        var ids = Set<Int64>()
        var refused: [Int] = []
        let frames = try XCTUnwrap(one["frames"] as? [[Any]])
        for (index, frame) in frames.enumerated() {
            if interrupted && index == frames.count / 2 {
                counter = try resumed(counter, classes, options)
            }
            if index == one["reset_before"] as? Int { try counter.reset() }
            let time = Timestamp(nanoseconds: try XCTUnwrap(frame[0] as? NSNumber).int64Value)
            do {
                let update = try counter.count(
                    Vectors.detections(frame[1]), width: 640, height: 480, at: time)
                ids.formUnion(update.tracks.map(\.trackID))
                events += update.events
            } catch {
                guard error.kind == .timestamp else { throw error }
                refused.append(index)
            }
        }
        let expected = try XCTUnwrap(one["expected"] as? JSON)
        let report = counter.report
        checkTotals(report, expected, options.anyClass, name)
        try checkEvents(events, expected["events"] as? [JSON], name)
        if let wanted = expected["ids"] as? Int { XCTAssertEqual(ids.count, wanted, name) }
        XCTAssertEqual(
            report.uncounted.ignoredDetections, expected["ignored"] as? Int ?? 0, name)
        XCTAssertEqual(refused, expected["refused"] as? [Int] ?? [], name)
        if let wanted = expected["frames"] as? Int { XCTAssertEqual(report.frames, wanted, name) }
        if let wanted = expected["unconfirmed"] as? Int {
            XCTAssertEqual(report.uncounted.shortTracks, wanted, name)
        }
    }

    private func resumed(
        _ counter: Counter, _ classes: [String], _ options: CounterOptions
    ) throws -> Counter {
        guard let state = try? counter.saveState() else { return counter }
        let other = try Counter(classNames: classes, options: options)
        try other.restoreState(state)
        return other
    }

    private func checkTotals(
        _ report: CountReport, _ expected: JSON, _ anyClass: Bool, _ name: String
    ) {
        func totals(_ counts: Any?) -> [String: Int] {
            let counts = counts as? [String: Int] ?? [:]
            return anyClass ? counts.isEmpty ? [:] : ["object": counts.values.reduce(0, +)] : counts
        }
        XCTAssertEqual(report.unique, totals(expected["unique"]), name)
        let lines = expected["lines"] as? [JSON] ?? []
        XCTAssertEqual(report.lines.map(\.crossedIn), lines.map { totals($0["in"]) }, name)
        XCTAssertEqual(report.lines.map(\.crossedOut), lines.map { totals($0["out"]) }, name)
        let zones = expected["zones"] as? [JSON] ?? []
        XCTAssertEqual(report.zones.map(\.now), zones.map { totals($0["now"]) }, name)
        XCTAssertEqual(report.zones.map(\.entered), zones.map { totals($0["entered"]) }, name)
        XCTAssertEqual(report.zones.map(\.left), zones.map { totals($0["left"]) }, name)
        for (zone, wanted) in zip(report.zones, zones) {
            inSpan(zone.maxDwellSeconds, wanted["max_dwell_s"], name)
        }
    }

    private func checkEvents(_ events: [CountEvent], _ wanted: [JSON]?, _ name: String) throws {
        guard let wanted else { return }
        XCTAssertEqual(events.count, wanted.count, name)
        for (event, one) in zip(events, wanted) {
            XCTAssertEqual(event.kind.rawValue, one["kind"] as? String, name)
            XCTAssertEqual(event.place, one["place"] as? Int, name)
            XCTAssertEqual(event.classID, one["class_id"] as? Int, name)
            inSpan(Double(event.timestamp.nanoseconds) / 1e9, one["seconds"], name)
        }
    }

    private func inSpan(_ value: Double, _ span: Any?, _ name: String) {
        let bounds = Vectors.numbers(span)
        XCTAssertTrue(bounds[0] <= value && value <= bounds[1], "\(name): \(value) \(bounds)")
    }
}
