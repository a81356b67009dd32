import Foundation
import XCTest

@testable import TallyLens

/// The files of `conformance/protocol`.
final class ProtocolVectorsTests: XCTestCase {
    private func vectors(_ name: String) throws -> [JSON] {
        let document = try XCTUnwrap(try Vectors.document("protocol/\(name).json") as? JSON)
        let all = try XCTUnwrap(document["vectors"] as? [JSON])
        print("vectors protocol/\(name).json: \(all.count) cases")
        return all
    }

    private func bytes(_ hex: Any?) throws -> Data {
        let digits = Array(try XCTUnwrap(hex as? String))
        return Data(
            try stride(from: 0, to: digits.count, by: 2).map {
                try XCTUnwrap(UInt8(String(digits[$0...($0 + 1)]), radix: 16))
            })
    }

    private func hex(_ data: Data) -> String {
        data.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func whole(_ value: Any?) -> Int64 { (value as? NSNumber)?.int64Value ?? 0 }

    func testFrames() throws {
        for vector in try vectors("frames") {
            let message = try XCTUnwrap(vector["message"] as? String)
            if let error = vector["error"] as? String {
                XCTAssertThrowsError(try FrameHeader.decode(try bytes(message))) { thrown in
                    XCTAssertTrue("\(thrown)".hasPrefix(error), "\(thrown)")
                }
                continue
            }
            let given = try XCTUnwrap(vector["header"] as? JSON)
            let header = FrameHeader(
                sequence: whole(given["sequence"]), captureMicroseconds: whole(given["capture_us"]),
                deadlineMilliseconds: whole(given["deadline_ms"]), width: Int(whole(given["width"])),
                height: Int(whole(given["height"])),
                codec: try XCTUnwrap(Codec(rawValue: UInt8(whole(given["codec"])))),
                repeated: whole(given["flags"]) == 1)
            XCTAssertEqual(hex(header.message(try bytes(vector["picture"]))), message)
            let (decoded, image) = try FrameHeader.decode(try bytes(message))
            XCTAssertEqual(decoded, header)
            XCTAssertEqual(image, try bytes(vector["picture"]))
        }
    }

    func testMessages() throws {
        for vector in try vectors("messages") {
            let text = try XCTUnwrap(vector["text"] as? String)
            let ofClient = vector["from"] as? String == "client"
            guard vector["valid"] as? Bool == true else {
                XCTAssertThrowsError(try check(text, ofClient), text) {
                    XCTAssertEqual(($0 as? TallyLensError)?.kind, .cloud, text)
                }
                continue
            }
            let canonical = try XCTUnwrap(vector["canonical"] as? JSON)
            if ofClient {
                try compare(canonical, encoded(try ClientMessage(text)))
            } else {
                try compare(canonical, try document(try ServerMessage(text)))
            }
        }
    }

    private func check(_ text: String, _ ofClient: Bool) throws {
        if ofClient { _ = try ClientMessage(text) } else { _ = try ServerMessage(text) }
    }

    private func encoded(_ message: ClientMessage) throws -> JSON {
        let text =
            switch message {
            case .hello(let hello): hello.encoded()
            case .bye: ClientMessage.byeText
            }
        return try XCTUnwrap(try Vectors.value(Data(text.utf8)) as? JSON)
    }

    private func compare(_ canonical: JSON, _ found: JSON) throws {
        XCTAssertEqual(NSDictionary(dictionary: canonical), NSDictionary(dictionary: found))
    }

    /// The JSON object of a server's message, its fields at their defaults left out.
    private func document(_ message: ServerMessage) throws -> JSON {
        switch message {
        case .welcome(let one):
            var limits: JSON = [:]
            // The client has no use for the other limits, which are checked only.
            limits["frame_bytes"] = NSNumber(value: one.frameBytes)
            limits["pixels"] = NSNumber(value: 8_388_608)
            limits["frames_per_second"] = NSNumber(value: 100)
            limits["frames_per_day"] = NSNumber(value: 1000)
            var found: JSON = [
                "type": "welcome", "session": one.session, "resume": one.resume, "resumed": one.resumed,
                "ack": one.ack, "credits": one.credits, "limits": limits, "model": one.model,
                "input_size": [one.inputHeight, one.inputWidth], "classes": one.classes,
                "strides": one.strides,
            ]
            if !one.digest.isEmpty { found["digest"] = one.digest }
            return found
        case .result(let one):
            var found: JSON = [
                "type": "result", "sequence": one.sequence, "ack": one.ack, "credits": one.credits,
            ]
            if !one.detections.isEmpty {
                found["detections"] = one.detections.map {
                    [$0.x1, $0.y1, $0.x2, $0.y2, $0.confidence].map { Double($0) } + [Double($0.classID)]
                }
            }
            if one.queueMilliseconds != 0 { found["queue_ms"] = one.queueMilliseconds }
            if one.workMilliseconds != 0 { found["work_ms"] = one.workMilliseconds }
            return found
        case .reject(let one):
            var found: JSON = [
                "type": "reject", "sequence": one.sequence, "ack": one.ack, "credits": one.credits,
                "reason": one.reason,
            ]
            if one.retryAfterMilliseconds != 0 { found["retry_after_ms"] = one.retryAfterMilliseconds }
            return found
        case .drain(let seconds): return ["type": "drain", "seconds": seconds]
        case .summary(let one):
            return [
                "type": "summary", "frames": one.frames, "answered": one.answered,
                "rejected": one.rejected, "counts": plain(.object(one.counts)),
            ]
        }
    }

    private func plain(_ value: JSONValue) -> Any {
        switch value {
        case .null: NSNull()
        case .flag(let flag): flag
        case .number(let number): number
        case .text(let text): text
        case .list(let list): list.map(plain)
        case .object(let object): object.mapValues(plain)
        }
    }

    func testSession() throws {
        var session = ClientSession()
        var messages: [String] = []
        for step in try vectors("session") {
            let now = try XCTUnwrap(step["at"] as? NSNumber).doubleValue
            if step["connection"] as? String == "lost" {
                session.connectionLost()
            } else if let says = step["says"] as? JSON {
                try compare(says, encoded(.hello(session.hello())))
            } else if let message = step["receives"] {
                let text = try JSONSerialization.data(withJSONObject: message)
                _ = try session.messageReceived(String(decoding: text, as: UTF8.self))
                messages = sent(&session, now)
            } else if let offered = step["offers"] {
                let image = EncodedImage(
                    data: try bytes(offered), width: Int(whole(step["width"])),
                    height: Int(whole(step["height"])))
                let seconds = try XCTUnwrap(step["seconds"] as? NSNumber).doubleValue
                let taken = session.submit(
                    image, captureMicroseconds: Int64(now * 1e6), expires: now + seconds)
                XCTAssertEqual(taken, (step["sequence"] as? NSNumber)?.int64Value)
                messages = sent(&session, now)
            } else {
                XCTAssertEqual(messages.removeFirst(), step["sends"] as? String)
            }
        }
        XCTAssertEqual(messages, [])
    }

    private func sent(_ session: inout ClientSession, _ now: Double) -> [String] {
        var messages: [String] = []
        while let next = session.frameToSend(now) { messages.append(hex(next.message)) }
        return messages
    }
}
