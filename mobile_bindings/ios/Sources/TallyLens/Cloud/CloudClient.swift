import CTally
import Dispatch
import Foundation

/// One session with one server, kept up over lost connections.
///
/// Callers on any thread submit frames and never wait for the network; sockets, timers and answers are
/// handled on a queue of its own.
final class CloudClient: Sendable {
    /// How a client connects, and whom it tells.
    struct Settings: Sendable {
        var url: URL
        var key: Secret
        var transport: any Transport
        var hello = Hello()
        /// Send unanswered frames again over the next connection, for callers without a local model.
        /// Others detect in them on the device.
        var resends = false
        /// Receives answers to frames that were abandoned, with the scale of their image.
        var onLate: @Sendable (FrameResult, (x: Double, y: Double)) -> Void = { _, _ in }
        /// Receives a sentence when the server starts to refuse, and when it accepts again.
        var onNotice: @Sendable (String) -> Void = { _ in }
        /// Receives the reason why the client has ended for good.
        var onEnd: @Sendable (TallyLensError) -> Void = { _ in }
    }

    static let firstBackoff = 0.25
    static let longestBackoff = 10.0
    /// Repairing a key, a certificate or a proxy takes longer than restarting a server.
    static let longestRefusedBackoff = 30.0
    static let closeSeconds = 1.0
    static let connectSeconds = 10.0
    static let tickSeconds = 0.02

    let settings: Settings
    let state: Guarded<CloudState>
    let queue = DispatchQueue(label: "tallylens.cloud", qos: .userInitiated)
    /// Left when the first welcome has come, or none will; and when the client has ended.
    let (welcomed, ended) = (Gate(), Gate())

    init(_ settings: Settings) throws(TallyLensError) {
        self.settings = settings
        state = Guarded(try CloudState(settings.hello))
    }

    deinit {
        let (connection, waiting) = state.use { ($0.connection, $0.abandonAll()) }
        connection?.close(code: CloseCode.normal)
        for one in waiting { one.done(.none(reason: "expired")) }
    }

    /// Connect, in the background.
    func start() { queue.async { self.connect() } }

    /// The first welcome, or nil where the server cannot be reached in so many seconds. Throws if the
    /// server refuses this client.
    func waitForWelcome(_ seconds: Double) throws(TallyLensError) -> Welcome? {
        welcomed.wait(seconds)
        let (welcome, problem) = state.use { ($0.session.welcome, $0.problem) }
        if let problem { throw problem }
        return welcome
    }

    /// The last welcome of the server; nil before the first.
    var welcome: Welcome? { state.use { $0.session.welcome } }

    /// The link now.
    func facts() throws(TallyLensError) -> LinkFacts {
        try state.use { (state) throws(TallyLensError) in try state.facts(MonotonicClock.now) }
    }

    /// Expected seconds from now to the answer of a frame of so many bytes, 95th percentile.
    func expected(bytes: Int) throws(TallyLensError) -> Double {
        try state.use { (state) throws(TallyLensError) in
            try state.link.expected(bytes: bytes, MonotonicClock.now)
        }
    }

    /// Submit a frame; its number, or nil where there is no connection or no credit. `done` is called
    /// once, on any thread.
    func submit(
        _ image: EncodedImage, captureMicroseconds: Int64, deadline seconds: Double,
        done: @escaping @Sendable (FrameAnswer) -> Void
    ) -> Int64? {
        let sequence = state.use { state -> Int64? in
            let expires = MonotonicClock.now + seconds
            let sequence = state.session.submit(
                image, captureMicroseconds: captureMicroseconds, expires: expires)
            if let sequence {
                state.wait(for: sequence, CloudState.Waiting(scale: image.scale, done: done))
            }
            return sequence
        }
        if sequence != nil {
            queue.async {
                self.sendNext()
                self.startTicking()
            }
        }
        return sequence
    }

    /// Stop waiting for a frame, and do not send it if it is not sent yet; an answer that still comes is
    /// late.
    func abandon(_ sequence: Int64) {
        state.use { state in
            state.session.cancel(sequence)
            _ = state.abandon(sequence)
        }
    }

    /// Send a frame nevertheless; its answer is late.
    func stopWaiting(_ sequence: Int64) {
        state.use { _ = $0.abandon(sequence) }
    }

    /// End the session, in a second at most, of which the caller waits for `seconds`; nobody waits for an
    /// answer any more.
    func close(waiting seconds: Double = CloudClient.closeSeconds) {
        let waiting = state.use { state in
            state.isStopping = true
            return state.drop(state.session.cancelAll()) + state.abandonAll()
        }
        for one in waiting { one.done(.none(reason: "expired")) }
        queue.async { self.sendNext() }
        queue.asyncAfter(deadline: .now() + CloudClient.closeSeconds) { self.finish() }
        ended.wait(seconds)
    }
}

/// What several threads may wait for; it opens once.
final class Gate: Sendable {
    private let group = DispatchGroup()
    private let isOpen = Guarded(false)

    init() { group.enter() }

    deinit { open() }

    func open() {
        let wasOpen = isOpen.use { isOpen in
            defer { isOpen = true }
            return isOpen
        }
        if !wasOpen { group.leave() }
    }

    func wait(_ seconds: Double) { _ = group.wait(timeout: .now() + seconds) }
}
