import Dispatch
import Foundation
import TallyLens

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A websocket client (RFC 6455) over a plain socket to this machine, for tests: where `URLSession` has
/// none, as on Linux.
public struct LoopbackTransport: Transport {
    /// A transport to 127.0.0.1.
    public init() {}

    /// Open a connection; only `ws://127.0.0.1:PORT` is allowed.
    public func connect(
        _ request: ConnectionRequest, events: @escaping @Sendable (ConnectionEvent) -> Void
    ) -> any Connection {
        let connection = LoopbackConnection(request.maximumMessageSize, events)
        Thread.detachNewThread { connection.run(request) }
        return connection
    }
}

/// One connection: a thread reads, a queue writes.
///
/// `@unchecked Sendable`, because the compiler cannot see that `descriptor` and `isOver` are only touched
/// under the lock.
final class LoopbackConnection: Connection, @unchecked Sendable {
    private let events: @Sendable (ConnectionEvent) -> Void
    private let maximumMessageSize: Int
    private let writer = DispatchQueue(label: "loopback")
    private let lock = NSLock()
    private var descriptor: Int32 = -1
    private var isOver = false
    private var pongs: [@Sendable () -> Void] = []

    init(_ maximumMessageSize: Int, _ events: @escaping @Sendable (ConnectionEvent) -> Void) {
        self.maximumMessageSize = maximumMessageSize
        self.events = events
    }

    /// Connect, and read until the end.
    func run(_ request: ConnectionRequest) {
        guard let port = request.url.port, request.url.scheme == "ws",
            request.url.host == "127.0.0.1", let socket = open(UInt16(port))
        else { return end(ConnectionEnd(reason: "cannot connect")) }
        var reader = SocketReader(socket)
        let handshake = Handshake(request, port)
        do {
            try write(socket, Array(handshake.text.utf8))
            let answer = try reader.head()
            if answer.status != 101 { return end(ConnectionEnd(httpStatus: answer.status)) }
            try handshake.check(answer)
            events(.opened)
            try readMessages(&reader)
        } catch {
            end(ConnectionEnd(reason: "\(error)"))
        }
    }

    private func open(_ port: UInt16) -> Int32? {
        #if canImport(Glibc)
            let made = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let made = Darwin.socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #if canImport(Glibc)
                    Glibc.connect(made, $0, size)
                #else
                    Darwin.connect(made, $0, size)
                #endif
            }
        }
        lock.lock()
        defer { lock.unlock() }
        if status != 0 || isOver {
            Self.release(made)
            return nil
        }
        descriptor = made
        return made
    }

    private static func release(_ descriptor: Int32) {
        #if canImport(Glibc)
            _ = Glibc.close(descriptor)
        #else
            _ = Darwin.close(descriptor)
        #endif
    }

    private func readMessages(_ reader: inout SocketReader) throws {
        var message: [UInt8] = []
        var opcode: Opcode?
        while true {
            let frame = try reader.frame(maximumMessageSize - message.count)
            switch frame.opcode {
            case .ping: post(.pong, frame.payload) { _ in }
            case .pong: takePong()?()
            case .close:
                let code = frame.payload.count >= 2 ? Int(frame.payload[0]) << 8 | Int(frame.payload[1]) : 0
                post(.close, Array(frame.payload.prefix(2))) { _ in }
                let reason = String(decoding: frame.payload.dropFirst(2), as: UTF8.self)
                return writer.sync { end(ConnectionEnd(code: code, reason: reason)) }
            case .text, .binary, .continuation:
                if (frame.opcode == .continuation) != (opcode != nil) {
                    throw SocketError("a message in another")
                }
                opcode = opcode ?? frame.opcode
                message += frame.payload
                if !frame.isLast { continue }
                guard opcode == .text, let text = String(validating: message, as: UTF8.self) else {
                    throw SocketError("a message that is not text")
                }
                (message, opcode) = ([], nil)
                events(.text(text))
            }
        }
    }

    private func takePong() -> (@Sendable () -> Void)? {
        lock.lock()
        defer { lock.unlock() }
        return pongs.isEmpty ? nil : pongs.removeFirst()
    }

    func send(_ text: String, sent: @escaping @Sendable (Bool) -> Void) {
        post(.text, Array(text.utf8), sent)
    }

    func send(_ data: Data, sent: @escaping @Sendable (Bool) -> Void) {
        post(.binary, Array(data), sent)
    }

    func ping(pong: @escaping @Sendable () -> Void) {
        lock.lock()
        pongs.append(pong)
        lock.unlock()
        post(.ping, []) { _ in }
    }

    func close(code: Int) {
        post(.close, [UInt8(code >> 8), UInt8(code & 0xFF)]) { _ in
            self.end(ConnectionEnd(reason: "closed here"))
        }
    }

    private func post(
        _ opcode: Opcode, _ payload: [UInt8], _ sent: @escaping @Sendable (Bool) -> Void
    ) {
        writer.async {
            self.lock.lock()
            let socket = self.descriptor
            self.lock.unlock()
            let frame = maskedFrame(opcode, payload)
            sent(socket >= 0 && (try? self.write(socket, frame)) != nil)
        }
    }

    private func write(_ socket: Int32, _ bytes: [UInt8]) throws {
        #if canImport(Glibc)
            let flags = Int32(MSG_NOSIGNAL)
        #else
            let flags: Int32 = 0
        #endif
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                transfer(socket, $0.baseAddress! + done, bytes.count - done, flags)
            }
            if count <= 0 { throw SocketError("cannot write") }
            done += count
        }
    }

    /// The end, once: the reading thread wakes up, and nothing more is written.
    private func end(_ end: ConnectionEnd) {
        lock.lock()
        let (socket, wasOver) = (descriptor, isOver)
        (descriptor, isOver) = (-1, true)
        lock.unlock()
        if socket >= 0 { shutdown(socket, Int32(SHUT_RDWR)) }
        if !wasOver {
            events(.closed(end))
            // The reading thread may be about to use the descriptor.
            DispatchQueue.global().asyncAfter(deadline: .now() + 1) { if socket >= 0 { Self.release(socket) } }
        }
    }
}

/// The system's `send`, which a method hides.
private func transfer(
    _ socket: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ flags: Int32
) -> Int {
    send(socket, bytes, count, flags)
}
