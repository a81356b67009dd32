import Foundation
import TallyLensLoopback
import XCTest

@testable import TallyLens

#if canImport(Glibc)
    import Glibc
#endif

/// The transports: what they tell of connections that cannot be opened.
final class TransportTests: XCTestCase {
    private func end(
        of transport: any Transport, _ address: String
    ) throws -> (end: ConnectionEnd?, events: Int) {
        let seen = Guarded<[ConnectionEvent]>([])
        let over = expectation(description: "the end")
        let request = ConnectionRequest(
            url: try streamURL(address), subprotocol: Wire.subprotocol,
            headers: ["Authorization": Secret("Bearer key-1")], maximumMessageSize: 1 << 20)
        let connection = transport.connect(request) { event in
            seen.use { $0.append(event) }
            if case .closed = event { over.fulfill() }
        }
        wait(for: [over], timeout: 20)
        let told = expectation(description: "what is sent then is not")
        connection.send("late") { sent in
            XCTAssertFalse(sent)
            told.fulfill()
        }
        wait(for: [told], timeout: 20)
        connection.close(code: CloseCode.normal)
        guard case .closed(let end)? = seen.use({ $0.last }) else { return (nil, 0) }
        XCTAssertFalse("\(end)".contains("key-1"))
        return (end, seen.use { $0.count })
    }

    /// Nobody listens there; on Linux, `URLSession` has no websockets at all.
    func testAnUnreachableServerIsToldOnce() throws {
        for transport: any Transport in [URLSessionTransport(), LoopbackTransport()] {
            let (end, events) = try end(of: transport, "ws://127.0.0.1:1")
            XCTAssertEqual([end?.code, end?.httpStatus], [0, 0])
            XCTAssertEqual(end?.isUntrusted, false)
            XCTAssertEqual(events, 1)
        }
    }

    func testTheLoopbackClientGoesNowhereElse() throws {
        for address in ["wss://127.0.0.1:1", "ws://localhost:1", "wss://example.com"] {
            XCTAssertEqual(try end(of: LoopbackTransport(), address).end?.reason, "cannot connect")
        }
    }

    /// The first example of FIPS 180 and a text of two blocks.
    func testTheHashOfTheHandshake() {
        func hex(_ text: String) -> String {
            sha1(Array(text.utf8)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        XCTAssertEqual(hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d")
        XCTAssertEqual(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    }
}
