import Foundation

/// Opens websockets (RFC 6455): `URLSessionTransport`, or your own.
///
/// It verifies certificates, asks for the subprotocol, does not compress, and answers pings.
public protocol Transport: Sendable {
    /// Open a connection and return at once. `events` hears of it, one event after the other, from any
    /// thread; `ConnectionEvent.closed` is the last.
    func connect(
        _ request: ConnectionRequest, events: @escaping @Sendable (ConnectionEvent) -> Void
    ) -> any Connection
}

/// What is asked of a server when a connection is opened.
public struct ConnectionRequest: Sendable {
    /// `wss://`, or `ws://` to this machine.
    public var url: URL
    /// For `Sec-WebSocket-Protocol`.
    public var subprotocol: String
    /// Further headers, such as `Authorization`; not for logs.
    public var headers: [String: Secret]
    /// Bytes of the largest message that can come.
    public var maximumMessageSize: Int

    /// The value of a header, to be sent and not to be shown.
    public func value(of header: String) -> String? { headers[header]?.value }
}

/// A websocket that is opening or open.
public protocol Connection: Sendable {
    /// Send a text message; `sent` is called once, when the system has taken it (true) or never will.
    func send(_ text: String, sent: @escaping @Sendable (Bool) -> Void)

    /// Send a binary message; see the other `send`.
    func send(_ data: Data, sent: @escaping @Sendable (Bool) -> Void)

    /// Send a ping; `pong` is called when it is answered.
    func ping(pong: @escaping @Sendable () -> Void)

    /// Close the connection; again is the same.
    func close(code: Int)
}

/// What a `Transport` reports.
public enum ConnectionEvent: Sendable {
    /// The server has accepted the upgrade.
    case opened
    /// A text message.
    case text(String)
    /// The connection has ended, or could not be opened.
    case closed(ConnectionEnd)
}

/// Why a connection ended, or could not be opened.
public struct ConnectionEnd: Sendable, Hashable {
    /// Of the server's close message; 0 without one.
    public var code: Int
    /// Of an upgrade that the server refused; 0 if it did not.
    public var httpStatus: Int
    /// The server's certificate is not trusted.
    public var isUntrusted: Bool
    /// In words.
    public var reason: String

    /// An end with what is known of it.
    public init(code: Int = 0, httpStatus: Int = 0, isUntrusted: Bool = false, reason: String = "") {
        self.code = code
        self.httpStatus = httpStatus
        self.isUntrusted = isUntrusted
        self.reason = reason
    }
}
