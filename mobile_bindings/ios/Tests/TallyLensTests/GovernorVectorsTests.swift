import CTally
import Foundation
import XCTest

@testable import TallyLens

/// `governor.json`: the decisions of the core, as Swift calls it.
final class GovernorVectorsTests: XCTestCase {
    private func name(_ reason: Int32) -> String { String(cString: tally_reason_name(reason)) }

    func testGovernor() throws {
        let cases = try Vectors.cases("governor.json")
        XCTAssertGreaterThan(cases.count, 0)
        for one in cases { try checkGovernor(one, one["name"] as? String ?? "") }
        print("vectors governor.json: \(cases.count) cases")
    }

    private func checkGovernor(_ one: JSON, _ label: String) throws {
        let options = try XCTUnwrap(one["options"] as? [String: NSNumber])
        let governor = try Governor(
            maxFPS: options["max_fps"]!.doubleValue,
            budgetMilliseconds: options["budget_ms"]!.doubleValue,
            sizes: options["num_sizes"]!.intValue)
        var changes: [[AnyHashable]] = []
        governor.record = { change in
            changes.append([
                change.timestamp_ns, self.name(change.reason), Int64(change.paused),
                Int64(change.level.rate), Int64(change.level.size), change.latency_ms,
            ])
        }
        var inputs: [Int: [String: NSNumber]] = [:]
        for input in one["inputs"] as? [[Any]] ?? [] {
            inputs[input[0] as! Int] = input[1] as? [String: NSNumber]
        }
        for (index, frame) in try XCTUnwrap(one["frames"] as? [[Any]]).enumerated() {
            if let value = inputs[index]?["thermal"] { try governor.setThermal(value.int32Value) }
            if let value = inputs[index]?["headroom"] { try governor.setHeadroom(value.doubleValue) }
            let time = (frame[0] as! NSNumber).int64Value
            if let reason = try governor.refusal(time) {
                XCTAssertEqual(reason, frame[1] as? String, "\(label) \(index)")
            } else {
                let latency = try XCTUnwrap(frame[1] as? NSNumber, "\(label) \(index)").doubleValue
                try governor.learn(time, milliseconds: latency)
            }
        }
        let expected = try XCTUnwrap(one["expected"] as? JSON)
        let wanted: [[AnyHashable]] = (expected["changes"] as? [[Any]] ?? []).map { row in
            [(row[0] as! NSNumber).int64Value, row[1] as! String]
                + (2...4).map { (row[$0] as! NSNumber).int64Value }
                + [(row[5] as! NSNumber).doubleValue]
        }
        XCTAssertEqual(changes, wanted, label)
        let state = try governor.state()
        XCTAssertEqual([state.level.rate, state.level.size], expected["level"] as? [Int32], label)
        XCTAssertEqual([state.lowest.rate, state.lowest.size], expected["lowest"] as? [Int32], label)
        XCTAssertEqual(state.paused, (expected["paused"] as? NSNumber)?.int32Value, label)
        XCTAssertEqual(
            try governor.ladder().map { [$0.rate, $0.size] }, one["ladder"] as? [[Int32]], label)
    }
}
