import Dispatch
import Foundation

/// What happens on the client's queue.
extension CloudClient {
    func connect() {
        let number = state.use { state -> Int? in
            if state.isStopping || state.problem != nil { return nil }
            state.number += 1
            (state.isOpened, state.isSending) = (false, false)
            return state.number
        }
        guard let number else { return ended.open() }
        let request = ConnectionRequest(
            url: settings.url, subprotocol: Wire.subprotocol,
            headers: ["Authorization": Secret("Bearer \(settings.key.value)")],
            maximumMessageSize: Wire.maxFrameBytes + FrameHeader.bytes)
        let connection = settings.transport.connect(request) { [weak self] event in
            guard let self else { return }
            self.queue.async { self.happened(event, number) }
        }
        state.use { $0.connection = connection }
        after(CloudClient.connectSeconds, number) { client in
            if client.state.use({ !$0.isOpened }) {
                client.abort(ConnectionEnd(reason: "no answer"), number)
            }
        }
    }

    /// Run `task` on the queue, if the connection is still the one in use.
    func after(
        _ seconds: Double, _ number: Int, _ task: @escaping @Sendable (CloudClient) -> Void
    ) {
        queue.asyncAfter(deadline: .now() + seconds) { [weak self] in
            if let self, self.isCurrent(number) { task(self) }
        }
    }

    private func isCurrent(_ number: Int) -> Bool {
        state.use { $0.number == number && $0.connection != nil }
    }

    private func happened(_ event: ConnectionEvent, _ number: Int) {
        guard isCurrent(number) else { return }
        switch event {
        case .opened: opened(number)
        case .text(let text): received(text, number)
        case .closed(let end): lost(end)
        }
    }

    private func opened(_ number: Int) {
        let (connection, hello) = state.use { state in
            state.isOpened = true
            state.helloAt = MonotonicClock.now
            state.heardAt = state.helloAt
            return (state.connection, state.session.hello().encoded())
        }
        connection?.send(hello) { _ in }
        keepAlive(number)
    }

    private func received(_ text: String, _ number: Int) {
        var then: [@Sendable () -> Void] = []
        do throws(TallyLensError) {
            then = try state.use { (state) throws(TallyLensError) in
                try self.take(text, &state)
            }
        } catch {
            let end = ConnectionEnd(code: CloseCode.protocolError, reason: error.problem)
            return abort(end, number)
        }
        for one in then { one() }
        sendNext()
    }

    /// Take a message; what to do about it outside of the lock.
    private func take(
        _ text: String, _ state: inout CloudState
    ) throws(TallyLensError) -> [@Sendable () -> Void] {
        let now = MonotonicClock.now
        state.heardAt = now
        switch try state.session.messageReceived(text).message {
        case .welcome:
            state.totals.connections += 1
            state.backoff = CloudClient.firstBackoff
            try state.link.welcomed(now - state.helloAt)
            let notice = state.refusals.accepted(settings.url)
            return [{ self.welcomed.open() }, { notice.map(self.settings.onNotice) }]
        case .result(let one):
            let seconds = (one.queueMilliseconds + one.workMilliseconds) / 1000
            let (waiting, late) = state.answered(one.sequence, server: seconds, now)
            return [
                { waiting?.done(.result(one)) },
                { late.map { self.settings.onLate(one, $0) } },
            ]
        case .reject(let one):
            // The server alone knows what a key has left, over all its clients.
            let until = now + Double(one.retryAfterMilliseconds) / 1000
            state.refusedUntil = max(state.refusedUntil, until)
            state.totals.rejected += 1
            let (waiting, _) = state.answered(one.sequence, server: 0, now)
            return [{ waiting?.done(.none(reason: one.reason)) }]
        case .summary(let one):
            state.summary = one
            return []
        case .drain: return []
        }
    }

    /// Send frames as they come, one at a time; after the last one, goodbye.
    func sendNext() {
        let next = state.use { state -> (any Connection, Int, Data?)? in
            guard let connection = state.connection, state.isOpened, !state.isSending else {
                return nil
            }
            let now = MonotonicClock.now
            guard let (sequence, message) = state.session.frameToSend(now) else {
                if !state.isStopping || state.hasSaidBye { return nil }
                state.hasSaidBye = true
                return (connection, state.number, nil)
            }
            state.isSending = true
            state.totals.sent += 1
            state.totals.sentBytes += message.count
            try? state.link.sent(sequence, bytes: message.count, now)
            return (connection, state.number, message)
        }
        guard let (connection, number, message) = next else {
            if state.use({ $0.isStopping && $0.connection == nil }) { finish() }
            return
        }
        guard let message else { return connection.send(ClientMessage.byeText) { _ in } }
        connection.send(message) { [weak self] _ in
            guard let self else { return }
            self.queue.async {
                guard self.isCurrent(number) else { return }
                self.state.use { $0.isSending = false }
                self.sendNext()
            }
        }
    }

    func abort(_ end: ConnectionEnd, _ number: Int) {
        guard isCurrent(number) else { return }
        state.use { $0.connection }?.close(code: CloseCode.normal)
        lost(end)
    }

    /// Callers that wait for a frame learn it at once: the device's own model has time now.
    private func lost(_ end: ConnectionEnd) {
        let refused = refusal(end, settings.url)
        let (waiting, notice, problem, backoff) = state.use { state in
            state.connection = nil
            let dropped = settings.resends ? [] : state.drop(state.session.cancelAll())
            state.session.connectionLost()
            try? state.link.lost()
            if [CloseCode.protocolError, CloseCode.duplicateSession].contains(end.code) {
                state.session.startOver()
            }
            var notice: String?
            if let refused {
                let isFinal = state.session.welcome == nil
                if isFinal { state.problem = refused }
                notice = state.refusals.refused(refused, isFinal: isFinal)
            }
            let backoff = state.backoff
            let longest =
                refused == nil ? CloudClient.longestBackoff : CloudClient.longestRefusedBackoff
            state.backoff = min(2 * backoff, longest)
            return (dropped, notice, state.problem, backoff)
        }
        for one in waiting { one.done(.none(reason: "expired")) }
        notice.map(settings.onNotice)
        if let problem {
            settings.onEnd(problem)
            return finish()
        }
        if state.use({ $0.isStopping }) { return finish() }
        // Full jitter: a thousand clients of one server do not come back together.
        queue.asyncAfter(deadline: .now() + .random(in: 0...backoff)) { [weak self] in
            self?.connect()
        }
    }

    /// The end: nobody waits for anything any more.
    func finish() {
        let (connection, waiting) = state.use { state in
            state.isStopping = true
            defer { state.connection = nil }
            let waiting = state.drop(state.session.cancelAll()) + state.abandonAll()
            state.session.connectionLost()
            return (state.connection, waiting)
        }
        connection?.close(code: CloseCode.normal)
        for one in waiting { one.done(.none(reason: "expired")) }
        welcomed.open()
        ended.open()
    }
}
