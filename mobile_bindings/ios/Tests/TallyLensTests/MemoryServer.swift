import Foundation
import XCTest

@testable import TallyLens

/// A server of `tallylens.v1` in memory, which does what a test says.
final class MemoryServer: Transport {
    /// What a test may do with a connection; also what was sent on it.
    final class Link: Connection {
        let events: @Sendable (ConnectionEvent) -> Void
        let request: ConnectionRequest
        private let server: MemoryServer
        private let isOver = Guarded(false)

        init(
            _ server: MemoryServer, _ request: ConnectionRequest,
            _ events: @escaping @Sendable (ConnectionEvent) -> Void
        ) {
            (self.server, self.request, self.events) = (server, request, events)
        }

        func send(_ text: String, sent: @escaping @Sendable (Bool) -> Void) {
            sent(true)
            server.received.use { $0.append(text) }
            switch try? ClientMessage(text) {
            case .hello(let hello)?: server.onHello(self, hello)
            case .bye?: end(ConnectionEnd(code: CloseCode.normal))
            case nil: XCTFail("not a message of a client: \(text)")
            }
        }

        func send(_ data: Data, sent: @escaping @Sendable (Bool) -> Void) {
            sent(true)
            guard let (header, image) = try? FrameHeader.decode(data) else { return }
            server.frames.use { $0.append(header) }
            server.onFrame(self, header, image)
        }

        func ping(pong: @escaping @Sendable () -> Void) { pong() }

        func close(code: Int) { end(ConnectionEnd(reason: "closed here")) }

        /// End it, once.
        func end(_ end: ConnectionEnd) {
            let wasOver = isOver.use { isOver in
                defer { isOver = true }
                return isOver
            }
            if !wasOver { events(.closed(end)) }
        }

        func welcome(resumed: Bool = false, ack: Int64 = 0, digest: String = "") {
            events(
                .text(
                    #"{"type":"welcome","session":"s","resume":"r","resumed":\#(resumed),"ack":\#(ack),"#
                        + #""credits":4,"limits":{"frame_bytes":4000000,"pixels":9000000,"#
                        + #""frames_per_second":100,"frames_per_day":100},"model":"m","#
                        + #""input_size":[64,64],"classes":["car","person"],"strides":[8],"#
                        + #""digest":"\#(digest)"}"#))
        }

        func answer(_ sequence: Int64, _ rows: String = "") {
            events(
                .text(
                    #"{"type":"result","sequence":\#(sequence),"ack":\#(sequence),"credits":4,"#
                        + #""detections":[\#(rows)]}"#))
        }
    }

    let received = Guarded<[String]>([])
    let frames = Guarded<[FrameHeader]>([])
    let links = Guarded<[Link]>([])
    private let onConnect: @Sendable (Link, Int) -> Void
    private let onHello: @Sendable (Link, Hello) -> Void
    private let onFrame: @Sendable (Link, FrameHeader, Data) -> Void

    /// - Parameter onConnect: gets each connection and its number from 0; by default it is accepted.
    init(
        onConnect: @escaping @Sendable (Link, Int) -> Void = { link, _ in link.events(.opened) },
        onHello: @escaping @Sendable (Link, Hello) -> Void = { link, _ in link.welcome() },
        onFrame: @escaping @Sendable (Link, FrameHeader, Data) -> Void = { link, header, _ in
            link.answer(header.sequence)
        }
    ) {
        (self.onConnect, self.onHello, self.onFrame) = (onConnect, onHello, onFrame)
    }

    func connect(
        _ request: ConnectionRequest, events: @escaping @Sendable (ConnectionEvent) -> Void
    ) -> any Connection {
        let link = Link(self, request, events)
        let number = links.use { links in
            links.append(link)
            return links.count - 1
        }
        onConnect(link, number)
        return link
    }
}
