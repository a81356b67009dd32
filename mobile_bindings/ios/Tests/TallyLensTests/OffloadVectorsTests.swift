import CTally
import Foundation
import XCTest

@testable import TallyLens

/// `conformance/offload.json`, through the classes that the client uses.
final class OffloadVectorsTests: XCTestCase {
    private func cases(_ key: String) throws -> [Any] {
        let document = try XCTUnwrap(try Vectors.document("offload.json") as? JSON)
        let cases = try XCTUnwrap(document[key] as? [Any])
        XCTAssertGreaterThan(cases.count, 0)
        print("vectors offload.json \(key): \(cases.count) cases")
        return cases
    }

    private func number(_ value: Any?) -> Double { (value as? NSNumber)?.doubleValue ?? .infinity }

    /// To a relative 1e-12; `null` stands for infinity.
    private func near(
        _ found: Double, _ expected: Double, _ label: String, line: UInt = #line
    ) {
        if found == expected { return }
        XCTAssertLessThanOrEqual(abs(found - expected), 1e-12 * abs(expected), label, line: line)
    }

    private func name(_ reason: Int32) -> String {
        tally_reason_name(reason).map { String(cString: $0) } ?? ""
    }

    func testReward() throws {
        for one in try cases("reward").map({ $0 as! JSON }) {
            let found = Vectors.numbers(one["scores"]).map {
                tally_detection(x1: 0, y1: 0, x2: 9, y2: 9, confidence: Float($0), class_id: 0)
            }
            let (reward, features) = try OffloadPolicy.reward(found)
            XCTAssertEqual(features, Vectors.numbers(one["features"]))
            near(reward, number(one["reward"]), "reward")
        }
    }

    func testStaticReason() throws {
        for one in try cases("static_reason").map({ $0 as! JSON }) {
            let given = one["facts"] as! [String: NSNumber]
            var facts = tally_offload_static_facts()
            facts.live = given["live"]!.int32Value
            facts.model_bytes = given["model_bytes"]!.int64Value
            facts.memory_bytes = given["memory_bytes"]!.int64Value
            facts.local_s = given["local_s"]!.doubleValue
            facts.cloud_s = given["cloud_s"]!.doubleValue
            XCTAssertEqual(name(try OffloadPolicy.staticReason(facts)), one["reason"] as? String)
        }
    }

    func testDecide() throws {
        for one in try cases("decide").map({ $0 as! JSON }) {
            let mode = try XCTUnwrap(OffloadMode(rawValue: one["mode"] as! String))
            let policy = try OffloadPolicy(mode, share: number(one["share"]))
            for (index, step) in (one["steps"] as! [JSON]).enumerated() {
                let decision = try policy.decide(facts(step["facts"] as! JSON))
                let found = [decision.action.rawValue, name(decision.reason)]
                XCTAssertEqual(found, step["decision"] as? [String], "\(index)")
            }
        }
    }

    func testViews() throws {
        for one in try cases("view").map({ $0 as! JSON }) {
            let image = one["image"] as! JSON
            let formats = ["BGR": PixelFormat.bgr, "RGB": .rgb, "BGRA": .bgra, "RGBA": .rgba]
            func side(_ key: String) -> Int { (image[key] as! NSNumber).intValue }
            let pixels = try XCTUnwrap(Data(base64Encoded: one["pixels"] as! String))
            var frame = try Frame(
                try XCTUnwrap(formats[image["format"] as! String]), width: side("width"),
                height: side("height"), copying: [UInt8](pixels))
            frame.rotation = side("rotation")
            XCTAssertEqual(try FrameView(frame).levels, one["cells"] as? [Int], "\(image)")
        }
    }

    func testSkips() throws {
        for one in try cases("skip").map({ $0 as! JSON }) {
            let mode = try XCTUnwrap(OffloadMode(rawValue: one["mode"] as! String))
            let decision = try OffloadPolicy(mode).skip(difference: number(one["difference"]))
            XCTAssertEqual(decision != nil, one["skip"] as? Bool, "\(one)")
        }
    }

    private func facts(_ given: JSON) -> tally_offload_facts {
        func value(_ key: String) -> Double { number(given[key]) }
        var facts = tally_offload_facts()
        facts.connected = Int32(value("connected"))
        facts.allowed = Int32(value("allowed"))
        facts.smallest = Int32(value("smallest"))
        facts.measuring = Int32(value("measuring"))
        facts.static_reason = (0..<64).first { name($0) == given["static_reason"] as? String }!
        facts.credits_left = Int64(value("credits_left"))
        facts.reward = value("reward")
        facts.link_debt_s = value("link_debt_s")
        facts.silent_s = value("silent_s")
        facts.silence_limit_s = value("silence_limit_s")
        facts.expected_s = value("expected_s")
        facts.deadline_s = value("deadline_s")
        facts.local_s = value("local_s")
        facts.waiting_s = value("waiting_s")
        return facts
    }

    func testLink() throws {
        for steps in try cases("link").map({ $0 as! [[Any]] }) {
            let link = try LinkEstimate()
            for step in steps {
                let given = Vectors.numbers(step[1])
                switch step[0] as! String {
                case "welcomed": try link.welcomed(given[0])
                case "sent": try link.sent(Int64(given[0]), bytes: Int(given[1]), given[2])
                case "answered": try link.answered(Int64(given[0]), server: given[1], given[2])
                case "lost": try link.lost()
                default: XCTFail("unknown call \(step[0])")
                }
                let now = number(step[2])
                compare(step[3] as! JSON, try link.state(now), "\(step[0])")
                near(try link.expected(bytes: 50_000, now), number(step[4]), "\(step[0]) expected")
            }
        }
    }

    private func compare(_ expected: JSON, _ state: tally_link_state, _ call: String) {
        func values(_ one: tally_average) -> [Double] { [one.mean, one.p95, Double(one.samples)] }
        let found: [String: [Double]] = [
            "measured": [Double(state.measured)], "rtt": values(state.rtt),
            "server": values(state.server), "bandwidth": values(state.bandwidth),
            "unanswered": [Double(state.unanswered)], "silent_s": [state.silent_s],
            "silence_limit_s": [state.silence_limit_s], "transit_s": [state.transit_s],
            "busy_s": [state.busy_s], "debt_s": [state.debt_s],
        ]
        XCTAssertEqual(Set(expected.keys), Set(found.keys))
        for (key, value) in expected {
            let wanted = value is [Any] ? Vectors.numbers(value) : [number(value)]
            XCTAssertEqual(found[key]!.count, wanted.count)
            for (a, b) in zip(found[key]!, wanted) { near(a, b, "\(call) \(key)") }
        }
    }

    func testWaiting() throws {
        for one in try cases("waiting").map({ $0 as! JSON }) {
            let budget = try WaitingBudget(engines: (one["engines"] as! NSNumber).intValue)
            for step in one["steps"] as! [[Any]] {
                let given = Vectors.numbers(step[1])
                switch step[0] as! String {
                case "start": try budget.start(given[0])
                case "wait": try budget.wait(given[0], Int32(given[1]))
                case "compute": try budget.compute(given[0], Int32(given[1]))
                case "saved": try budget.saved(given[0])
                default: XCTFail("unknown call \(step[0])")
                }
                near(try budget.left(number(step[2])), number(step[3]), "\(step[0])")
            }
        }
    }

    func testLate() throws {
        for steps in try cases("late").map({ $0 as! [[Any]] }) {
            let late = try LateAnswers()
            for step in steps {
                var boxes = Vectors.detections(step[1]).map {
                    tally_detection(
                        x1: $0.x1, y1: $0.y1, x2: $0.x2, y2: $0.y2, confidence: $0.confidence,
                        class_id: Int32($0.classID))
                }
                if step[0] as! String == "note" {
                    try late.note(boxes, number(step[2]))
                    continue
                }
                try late.apply(&boxes, number(step[2]))
                XCTAssertEqual(boxes.map { Int($0.class_id) }, step[3] as? [Int])
            }
        }
    }
}
