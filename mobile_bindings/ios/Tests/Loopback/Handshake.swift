import Foundation
import TallyLens

/// The upgrade of a connection to a websocket.
struct Handshake {
    /// The request.
    let text: String
    private let key: String
    private let subprotocol: String

    init(_ request: ConnectionRequest, _ port: Int) {
        key = Data((0..<16).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
        subprotocol = request.subprotocol
        let own = [
            "Host: 127.0.0.1:\(port)", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(key)",
            "Sec-WebSocket-Protocol: \(request.subprotocol)",
        ]
        let others = request.headers.keys.map { "\($0): \(request.value(of: $0) ?? "")" }
        let lines = ["GET \(request.url.path) HTTP/1.1"] + own + others
        text = lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// Whether the answer is one to this request.
    func check(_ answer: (status: Int, headers: [String: String])) throws {
        let text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        let expected = Data(sha1(Array(text.utf8))).base64EncodedString()
        if answer.headers["sec-websocket-accept"] != expected
            || answer.headers["sec-websocket-protocol"] != subprotocol
        {
            throw SocketError("an answer to another request")
        }
    }
}

/// FIPS 180-4, which RFC 6455 asks for; not for secrets.
public func sha1(_ message: [UInt8]) -> [UInt8] {
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    var bytes = message + [0x80]
    while bytes.count % 64 != 56 { bytes.append(0) }
    let bits = UInt64(message.count) * 8
    bytes += (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * UInt64($0))) }
    func turned(_ value: UInt32, _ by: UInt32) -> UInt32 { value << by | value >> (32 - by) }
    for block in stride(from: 0, to: bytes.count, by: 64) {
        var words = (0..<16).map { word in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[block + 4 * word + $1]) }
        }
        for i in 16..<80 {
            words.append(turned(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1))
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for i in 0..<80 {
            let (mixed, constant): (UInt32, UInt32) =
                switch i / 20 {
                case 0: (b & c | ~b & d, 0x5A82_7999)
                case 1: (b ^ c ^ d, 0x6ED9_EBA1)
                case 2: (b & c | b & d | c & d, 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = turned(a, 5) &+ mixed &+ e &+ constant &+ words[i]
            (a, b, c, d, e) = (next, a, turned(b, 30), c, d)
        }
        for (i, value) in [a, b, c, d, e].enumerated() { state[i] = state[i] &+ value }
    }
    return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * UInt32($0))) } }
}
