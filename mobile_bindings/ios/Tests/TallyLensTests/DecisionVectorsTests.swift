import CTally
import Foundation
import XCTest

@testable import TallyLens

/// `governor.json` and `offload.json`: the decisions of the core, as Swift calls it.
final class DecisionVectorsTests: XCTestCase {
    private func name(_ reason: Int32) -> String { String(cString: tally_reason_name(reason)) }

    private func near(_ found: Double, _ expected: Double, _ what: String) {
        let close = abs(found - expected) <= 1e-12 * max(1, abs(expected)) || found == expected
        XCTAssertTrue(close, "\(what): \(found) is not \(expected)")
    }

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

    private func offload(_ key: String) throws -> [Any] {
        let document = try XCTUnwrap(try Vectors.document("offload.json") as? JSON)
        let cases = try XCTUnwrap(document[key] as? [Any])
        XCTAssertGreaterThan(cases.count, 0)
        print("vectors offload.json \(key): \(cases.count) cases")
        return cases
    }

    func testReward() throws {
        for one in try offload("reward").map({ $0 as! JSON }) {
            let found = Vectors.numbers(one["scores"]).map {
                tally_detection(x1: 0, y1: 0, x2: 9, y2: 9, confidence: Float($0), class_id: 0)
            }
            var features = [Double](repeating: 0, count: 5)
            var reward = 0.0
            XCTAssertEqual(tally_offload_reward(found, Int32(found.count), &features, &reward), TALLY_OK)
            XCTAssertEqual(features, Vectors.numbers(one["features"]))
            near(reward, (one["reward"] as! NSNumber).doubleValue, "reward")
        }
    }

    func testStaticReason() throws {
        for one in try offload("static_reason").map({ $0 as! JSON }) {
            let given = one["facts"] as! [String: NSNumber]
            var facts = tally_offload_static_facts()
            facts.struct_size = UInt32(MemoryLayout<tally_offload_static_facts>.size)
            facts.live = given["live"]!.int32Value
            facts.model_bytes = given["model_bytes"]!.int64Value
            facts.memory_bytes = given["memory_bytes"]!.int64Value
            facts.local_s = given["local_s"]!.doubleValue
            facts.cloud_s = given["cloud_s"]!.doubleValue
            var reason: Int32 = 0
            XCTAssertEqual(tally_offload_static_reason(&facts, &reason), TALLY_OK)
            XCTAssertEqual(name(reason), one["reason"] as? String)
        }
    }

    func testDecide() throws {
        let modes = ["never", "auto", "always"]
        let actions = ["local", "cloud", "skip"]
        for one in try offload("decide").map({ $0 as! JSON }) {
            var options = tally_offload_options()
            options.struct_size = UInt32(MemoryLayout<tally_offload_options>.size)
            tally_offload_defaults(&options)
            options.mode = Int32(modes.firstIndex(of: one["mode"] as! String)!)
            options.share = (one["share"] as! NSNumber).doubleValue
            var handle: OpaquePointer?
            XCTAssertEqual(tally_offload_create(&options, &handle, nil, 0), TALLY_OK)
            defer { tally_offload_destroy(handle) }
            for (index, step) in (one["steps"] as! [JSON]).enumerated() {
                var facts = facts(step["facts"] as! JSON)
                var decision = tally_decision()
                XCTAssertEqual(tally_offload_decide(handle, &facts, &decision), TALLY_OK)
                let found = [actions[Int(decision.action)], name(decision.reason)]
                XCTAssertEqual(found, step["decision"] as? [String], "\(index)")
            }
        }
    }

    private func facts(_ given: JSON) -> tally_offload_facts {
        func number(_ key: String) -> Double { (given[key] as? NSNumber)?.doubleValue ?? .infinity }
        var facts = tally_offload_facts()
        facts.struct_size = UInt32(MemoryLayout<tally_offload_facts>.size)
        facts.connected = Int32(number("connected"))
        facts.allowed = Int32(number("allowed"))
        facts.smallest = Int32(number("smallest"))
        facts.measuring = Int32(number("measuring"))
        facts.static_reason = (0..<64).first { reason in
            tally_reason_name(reason).map { String(cString: $0) } == given["static_reason"] as? String
        }!
        facts.credits_left = Int64(number("credits_left"))
        facts.reward = number("reward")
        facts.link_debt_s = number("link_debt_s")
        facts.silent_s = number("silent_s")
        facts.silence_limit_s = number("silence_limit_s")
        facts.expected_s = number("expected_s")
        facts.deadline_s = number("deadline_s")
        facts.local_s = number("local_s")
        facts.waiting_s = number("waiting_s")
        return facts
    }

    func testLink() throws {
        for steps in try offload("link").map({ $0 as! [[Any]] }) {
            var options = tally_link_options()
            options.struct_size = UInt32(MemoryLayout<tally_link_options>.size)
            tally_link_defaults(&options)
            var handle: OpaquePointer?
            XCTAssertEqual(tally_link_create(&options, &handle, nil, 0), TALLY_OK)
            defer { tally_link_destroy(handle) }
            for step in steps { checkLink(handle, step) }
        }
    }

    private func checkLink(_ handle: OpaquePointer?, _ step: [Any]) {
        let (call, given, now) = (
            step[0] as! String, Vectors.numbers(step[1]), (step[2] as! NSNumber).doubleValue
        )
        let status: tally_status
        switch call {
        case "welcomed": status = tally_link_welcomed(handle, given[0])
        case "sent": status = tally_link_sent(handle, Int64(given[0]), Int64(given[1]), given[2])
        case "answered": status = tally_link_answered(handle, Int64(given[0]), given[1], given[2])
        case "lost": status = tally_link_lost(handle)
        default: return XCTFail("unknown call \(call)")
        }
        XCTAssertEqual(status, TALLY_OK)
        var state = tally_link_state()
        state.struct_size = UInt32(MemoryLayout<tally_link_state>.size)
        XCTAssertEqual(tally_link_get_state(handle, now, &state), TALLY_OK)
        func values(_ one: tally_average) -> [Double] { [one.mean, one.p95, Double(one.samples)] }
        let found: [String: [Double]] = [
            "measured": [Double(state.measured)], "rtt": values(state.rtt),
            "server": values(state.server), "bandwidth": values(state.bandwidth),
            "unanswered": [Double(state.unanswered)], "silent_s": [state.silent_s],
            "silence_limit_s": [state.silence_limit_s], "transit_s": [state.transit_s],
            "busy_s": [state.busy_s], "debt_s": [state.debt_s],
        ]
        let expected = step[3] as! JSON
        XCTAssertEqual(Set(expected.keys), Set(found.keys))
        for (key, value) in expected {
            let wanted = value is [Any] ? Vectors.numbers(value) : Vectors.numbers([value])
            for (a, b) in zip(found[key]!, wanted) { near(a, b, "\(call) \(key)") }
        }
        var seconds = 0.0
        XCTAssertEqual(tally_link_expected(handle, 50_000, now, &seconds), TALLY_OK)
        near(seconds, Vectors.numbers([step[4]])[0], "\(call) expected")
    }

    func testWaiting() throws {
        for one in try offload("waiting").map({ $0 as! JSON }) {
            var options = tally_waiting_options()
            options.struct_size = UInt32(MemoryLayout<tally_waiting_options>.size)
            tally_waiting_defaults(&options)
            options.engines = (one["engines"] as! NSNumber).int32Value
            var handle: OpaquePointer?
            XCTAssertEqual(tally_waiting_create(&options, &handle, nil, 0), TALLY_OK)
            defer { tally_waiting_destroy(handle) }
            for step in one["steps"] as! [[Any]] {
                let given = Vectors.numbers(step[1])
                switch step[0] as! String {
                case "start": tally_waiting_start(handle, given[0])
                case "wait": tally_waiting_wait(handle, given[0], Int32(given[1]))
                case "compute": tally_waiting_compute(handle, given[0], Int32(given[1]))
                case "saved": tally_waiting_saved(handle, given[0])
                default: XCTFail("unknown call \(step[0])")
                }
                var seconds = 0.0
                let now = (step[2] as! NSNumber).doubleValue
                XCTAssertEqual(tally_waiting_left(handle, now, &seconds), TALLY_OK)
                near(seconds, Vectors.numbers([step[3]])[0], "\(step[0])")
            }
        }
    }

    func testLate() throws {
        for steps in try offload("late").map({ $0 as! [[Any]] }) {
            var options = tally_late_options()
            options.struct_size = UInt32(MemoryLayout<tally_late_options>.size)
            tally_late_defaults(&options)
            var handle: OpaquePointer?
            XCTAssertEqual(tally_late_create(&options, &handle, nil, 0), TALLY_OK)
            defer { tally_late_destroy(handle) }
            for step in steps {
                var boxes = Vectors.detections(step[1]).map {
                    tally_detection(
                        x1: $0.x1, y1: $0.y1, x2: $0.x2, y2: $0.y2, confidence: $0.confidence,
                        class_id: Int32($0.classID))
                }
                let now = (step[2] as! NSNumber).doubleValue
                if step[0] as! String == "note" {
                    XCTAssertEqual(tally_late_note(handle, boxes, Int32(boxes.count), now), TALLY_OK)
                    continue
                }
                var changed: Int32 = 0
                let status = tally_late_apply(handle, &boxes, Int32(boxes.count), now, &changed)
                XCTAssertEqual(status, TALLY_OK)
                XCTAssertEqual(boxes.map { Int($0.class_id) }, step[3] as? [Int])
            }
        }
    }
}
