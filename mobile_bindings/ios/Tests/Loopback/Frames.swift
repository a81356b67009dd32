import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A peer that ends, or does not follow RFC 6455.
struct SocketError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

enum Opcode: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10
}

/// One frame of the server.
struct ServerFrame {
    var opcode: Opcode
    var isLast: Bool
    var payload: [UInt8]
}

/// A frame of a client, masked as RFC 6455 asks.
func maskedFrame(_ opcode: Opcode, _ payload: [UInt8]) -> [UInt8] {
    var frame: [UInt8] = [0x80 | opcode.rawValue]
    switch payload.count {
    case ..<126: frame.append(0x80 | UInt8(payload.count))
    case ..<65_536:
        frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default:
        frame.append(0x80 | 127)
        frame += (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    let mask = (0..<4).map { _ in UInt8.random(in: .min ... .max) }
    frame += mask
    frame += payload.enumerated().map { $1 ^ mask[$0 % 4] }
    return frame
}

/// Reads what a server sends.
struct SocketReader {
    private let socket: Int32
    private var buffer: [UInt8] = []
    private var start = 0
    private static let maxHead = 16 << 10

    init(_ socket: Int32) { self.socket = socket }

    /// The status and the headers of an HTTP answer, in lower case.
    mutating func head() throws -> (status: Int, headers: [String: String]) {
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
            if head.count > SocketReader.maxHead { throw SocketError("a head without an end") }
            head += try bytes(1)
        }
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw SocketError("not HTTP")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 {
                headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        return (status, headers)
    }

    /// The next frame, of at most `limit` bytes.
    mutating func frame(_ limit: Int) throws -> ServerFrame {
        let head = try bytes(2)
        guard let opcode = Opcode(rawValue: head[0] & 0x0F), head[0] & 0x70 == 0 else {
            throw SocketError("a frame of an unknown kind")
        }
        if head[1] & 0x80 != 0 { throw SocketError("a server that masks") }
        var size = Int(head[1])
        if size >= 126 {
            size = try bytes(size == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) }
        }
        let isControl = opcode.rawValue >= Opcode.close.rawValue
        if size < 0 || size > limit || isControl && (size > 125 || head[0] & 0x80 == 0) {
            throw SocketError("a frame of \(size) bytes")
        }
        return ServerFrame(
            opcode: opcode, isLast: head[0] & 0x80 != 0, payload: try bytes(size))
    }

    private mutating func bytes(_ count: Int) throws -> [UInt8] {
        while buffer.count - start < count {
            if start > 1 << 16 {
                buffer.removeFirst(start)
                start = 0
            }
            var chunk = [UInt8](repeating: 0, count: 1 << 14)
            let read = recv(socket, &chunk, chunk.count, 0)
            if read <= 0 { throw SocketError("the connection ended") }
            buffer += chunk[..<read]
        }
        defer { start += count }
        return Array(buffer[start..<start + count])
    }
}
