import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Websockets of `URLSession`, with the system's certificates and proxies. On Linux it compiles, and
/// answers that websockets are not supported.
public struct URLSessionTransport: Transport {
    /// Also over cellular and personal hotspots; by default not.
    public var allowsExpensiveNetworkAccess: Bool

    private static let connectSeconds: TimeInterval = 10

    /// Websockets over Wi-Fi and cable, or over any network.
    public init(allowsExpensiveNetworkAccess: Bool = false) {
        self.allowsExpensiveNetworkAccess = allowsExpensiveNetworkAccess
    }

    /// Open a connection; see `Transport`.
    public func connect(
        _ request: ConnectionRequest, events: @escaping @Sendable (ConnectionEvent) -> Void
    ) -> any Connection {
        var upgrade = URLRequest(url: request.url, timeoutInterval: URLSessionTransport.connectSeconds)
        upgrade.setValue(request.subprotocol, forHTTPHeaderField: "Sec-WebSocket-Protocol")
        for name in request.headers.keys {
            upgrade.setValue(request.value(of: name), forHTTPHeaderField: name)
        }
        let socket = URLSessionSocket(events)
        // Nothing of it is written to disk, neither cookies nor credentials.
        let session = URLSession(configuration: configuration, delegate: socket, delegateQueue: nil)
        let task = session.webSocketTask(with: upgrade)
        task.maximumMessageSize = request.maximumMessageSize
        let connection = URLSessionConnection(task: task, session: session, socket: socket)
        connection.receiveNext()
        task.resume()
        return connection
    }

    private var configuration: URLSessionConfiguration {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.allowsCellularAccess = allowsExpensiveNetworkAccess
        #if !canImport(FoundationNetworking)
            configuration.allowsExpensiveNetworkAccess = allowsExpensiveNetworkAccess
            configuration.tlsMinimumSupportedProtocolVersion = .TLSv12
        #endif
        return configuration
    }
}

/// The delegate of one connection: tells its opening, and its end once.
private final class URLSessionSocket: NSObject, URLSessionWebSocketDelegate {
    let events: @Sendable (ConnectionEvent) -> Void
    private let isOver = Guarded(false)

    init(_ events: @escaping @Sendable (ConnectionEvent) -> Void) { self.events = events }

    func urlSession(
        _ session: URLSession, webSocketTask: URLSessionWebSocketTask,
        didOpenWithProtocol name: String?
    ) { events(.opened) }

    func urlSession(
        _ session: URLSession, webSocketTask: URLSessionWebSocketTask,
        didCloseWith code: URLSessionWebSocketTask.CloseCode, reason: Data?
    ) {
        let words = reason.map { String(decoding: $0, as: UTF8.self) } ?? ""
        end(ConnectionEnd(code: code.rawValue, reason: words), session)
    }

    /// A redirect is refused: it would take the key to another server.
    func urlSession(
        _ session: URLSession, task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
        completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) { completionHandler(nil) }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
    ) {
        end(URLSessionSocket.end(of: task, error), session)
    }

    /// Tell the end, unless it was told.
    func end(_ end: ConnectionEnd, _ session: URLSession) {
        let wasOver = isOver.use { isOver in
            defer { isOver = true }
            return isOver
        }
        if wasOver { return }
        events(.closed(end))
        // The session keeps its delegate until then.
        session.finishTasksAndInvalidate()
    }

    /// The end of a task: of a server's close message, of a refused upgrade, or of the network.
    static func end(of task: URLSessionTask, _ error: (any Error)?) -> ConnectionEnd {
        let code = (task as? URLSessionWebSocketTask)?.closeCode.rawValue ?? 0
        let status = (task.response as? HTTPURLResponse)?.statusCode ?? 0
        let fault = error as? URLError
        let untrusted: Set<URLError.Code> = [
            .serverCertificateUntrusted, .serverCertificateHasBadDate,
            .serverCertificateHasUnknownRoot, .serverCertificateNotYetValid,
        ]
        return ConnectionEnd(
            code: code, httpStatus: status == 101 ? 0 : status,
            isUntrusted: fault.map { untrusted.contains($0.code) } ?? false,
            reason: fault.map { "network error \($0.errorCode)" } ?? "")
    }
}

/// One task of a session.
private struct URLSessionConnection: Connection {
    let task: URLSessionWebSocketTask
    let session: URLSession
    let socket: URLSessionSocket

    func receiveNext() {
        task.receive { result in
            switch result {
            case .success(.string(let text)):
                socket.events(.text(text))
                receiveNext()
            case .success:
                // The protocol has no binary messages of a server.
                socket.events(.text(""))
            case .failure(let error):
                // The delegate hears of it too, and of the server's close code; not where the task was
                // never begun.
                DispatchQueue.global().asyncAfter(deadline: .now() + 1) {
                    socket.end(URLSessionSocket.end(of: task, error), session)
                }
            }
        }
    }

    func send(_ text: String, sent: @escaping @Sendable (Bool) -> Void) {
        task.send(.string(text)) { sent($0 == nil) }
    }

    func send(_ data: Data, sent: @escaping @Sendable (Bool) -> Void) {
        task.send(.data(data)) { sent($0 == nil) }
    }

    func ping(pong: @escaping @Sendable () -> Void) {
        task.sendPing { error in if error == nil { pong() } }
    }

    func close(code: Int) {
        task.cancel(
            with: URLSessionWebSocketTask.CloseCode(rawValue: code) ?? .normalClosure, reason: nil)
    }
}
