import Foundation
import XCTest

@testable import TallyLens

/// What an untrusted server may say, and addresses that a client takes.
final class ProtocolTests: XCTestCase {
    private static let welcome =
        #"{"type":"welcome","session":"a","resume":"b","resumed":false,"ack":0,"credits":2,"limits":"#
        + #"{"frame_bytes":100,"pixels":9,"frames_per_second":1,"frames_per_day":9},"model":"m","#
        + #""input_size":[640,320],"classes":["person"],"strides":[8]}"#

    private func refused(_ text: String, line: UInt = #line) {
        XCTAssertThrowsError(try ServerMessage(text), line: line) {
            XCTAssertEqual(($0 as? TallyLensError)?.kind, .cloud, line: line)
        }
    }

    func testEveryFieldOfAWelcomeIsBounded() throws {
        guard case .welcome(let one) = try ServerMessage(Self.welcome) else { return XCTFail() }
        XCTAssertEqual([one.inputHeight, one.inputWidth], [640, 320])
        for (old, new) in [
            (#""ack":0"#, #""ack":4294967296"#), (#""credits":2"#, #""credits":65"#),
            (#""credits":2"#, #""credits":null"#), (#""credits":2"#, #""credits":true"#),
            (#""resumed":false"#, #""resumed":0"#), ("[640,320]", "[640]"), ("[640,320]", "[0,320]"),
            ("[640,320]", "[1e300,320]"), (#"["person"]"#, #"[1]"#), (#"[8]"#, "[1,2,3,4,5,6,7,8,9]"),
            (#""session":"a""#, #""session":"\#(String(repeating: "a", count: 65))""#),
            (#""pixels":9,"#, ""),
        ] {
            let text = Self.welcome.replacingOccurrences(of: old, with: new)
            XCTAssertNotEqual(text, Self.welcome)
            refused(text)
        }
    }

    func testResultsOfAnUntrustedServerAreBounded() throws {
        let start = #"{"type":"result","sequence":1,"ack":1,"credits":1,"detections":["#
        for row in [
            "[1,2,3,4,0.5]", "[1,2,3,4,1.5,0]", "[1,2,3,4,0.5,0.5]", "[1,2,3,4,0.5,-1]",
            "[1,2,3,4,0.5,10000]", "[1e12,2,3,4,0.5,0]", "[1,2,3,4,null,0]", "[\"1\",2,3,4,0.5,0]", "7",
        ] { refused(start + row + "]}") }
        let many = Array(repeating: "[1,2,3,4,0.5,0]", count: 1001).joined(separator: ",")
        refused(start + many + "]}")
        refused(String(repeating: " ", count: Wire.maxServerText) + "{}")
        refused(String(repeating: "[", count: 100_000))
        refused(#"{"type":"summary","frames":1,"answered":1,"counts":[]}"#)
        refused(#"{"type":"summary","frames":1,"answered":1,"rejected":{"late":-1}}"#)
    }

    /// Every cut and many changes of a valid message are a message or an error, and nothing else.
    func testDamagedMessagesAreMessagesOrErrors() {
        var state: UInt64 = 1
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        let bytes = Array(Self.welcome.utf8)
        for cut in bytes.indices { refused(String(decoding: bytes[..<cut], as: UTF8.self)) }
        for _ in 0..<2000 {
            var changed = bytes
            for _ in 0...random(3) {
                changed[random(changed.count)] = UInt8(32 + random(96))
            }
            do {
                _ = try ServerMessage(String(decoding: changed, as: UTF8.self))
            } catch {
                XCTAssertEqual(error.kind, .cloud)
            }
        }
    }

    func testASessionKeepsItsCredits() throws {
        var session = ClientSession()
        XCTAssertThrowsError(
            try session.messageReceived(#"{"type":"result","sequence":1,"ack":1,"credits":2}"#))
        let image = EncodedImage(data: Data([1, 2, 3]), width: 1, height: 1, codec: .raw)
        XCTAssertNil(session.submit(image, captureMicroseconds: 0, expires: 9))
        _ = try session.messageReceived(Self.welcome)
        let large = EncodedImage(data: Data(count: 101), width: 1, height: 1)
        XCTAssertNil(session.submit(large, captureMicroseconds: 0, expires: 9))
        XCTAssertEqual(session.submit(image, captureMicroseconds: 0, expires: 1), 1)
        XCTAssertNotNil(session.frameToSend(0))
        XCTAssertEqual(session.submit(image, captureMicroseconds: 0, expires: 1), 2)
        // The first was sent and keeps its credit; the second never was.
        XCTAssertEqual(session.expire(1).map(\.sequence), [1, 2])
        XCTAssertEqual([session.creditsLeft, session.inFlight], [1, 0])
        let (_, frame) = try session.messageReceived(
            #"{"type":"result","sequence":1,"ack":1,"credits":2}"#)
        XCTAssertEqual(frame?.expired, true)
        XCTAssertEqual(session.creditsLeft, 2)
        let (_, again) = try session.messageReceived(
            #"{"type":"result","sequence":1,"ack":1,"credits":2}"#)
        XCTAssertNil(again)
        _ = try session.messageReceived(#"{"type":"drain","seconds":2}"#)
        XCTAssertEqual(session.creditsLeft, 0)
    }

    func testAddresses() throws {
        for (given, url) in [
            ("wss://host:8443", "wss://host:8443/v1/stream"), ("wss://host/", "wss://host/v1/stream"),
            ("wss://host/count/v1/stream", "wss://host/count/v1/stream"),
            ("ws://127.0.0.1:9", "ws://127.0.0.1:9/v1/stream"), ("ws://[::1]:9", "ws://[::1]:9/v1/stream"),
            ("ws://localhost", "ws://localhost/v1/stream"),
        ] { XCTAssertEqual(try streamURL(given).absoluteString, url) }
        for given in [
            "", "https://host", "wss://", "host:8443", "ws://192.168.1.2", "ws://127.0.0.1.example.com",
            "wss://user:secret@host", "wss://host?key=secret", "wss://host#secret",
        ] {
            XCTAssertThrowsError(try streamURL(given), given) {
                XCTAssertEqual(($0 as? TallyLensError)?.kind, .usage)
                XCTAssertFalse("\($0)".contains("secret"))
            }
        }
    }
}
