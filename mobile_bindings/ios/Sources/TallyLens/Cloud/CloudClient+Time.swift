import CTally
import Dispatch

/// Time that passes: frames that expire, and connections that have died without an error.
extension CloudClient {
    private static let pingEvery = 5.0
    private static let pongSeconds = 5.0

    func startTicking() {
        let starts = state.use { state in
            defer { state.isTicking = true }
            return !state.isTicking
        }
        if starts { tick() }
    }

    private func tick() {
        let (waiting, goesOn) = state.use { state in
            let now = MonotonicClock.now
            var over = state.drop(state.session.expire(now))
            if !settings.resends, let link = try? state.link.state(now),
                link.silent_s > link.silence_limit_s
            {
                over += state.drop(state.session.cancelAll())
            }
            state.isTicking = state.session.inFlight > 0
            return (over, state.isTicking)
        }
        for one in waiting { one.done(.none(reason: "expired")) }
        if goesOn {
            queue.asyncAfter(deadline: .now() + CloudClient.tickSeconds) { [weak self] in
                self?.tick()
            }
        }
    }

    /// Ping every five seconds; abort the connection after five without any sign of life. On a slow link
    /// a ping waits behind the images before it: the time for which those may still be on their way does
    /// not count.
    func keepAlive(_ number: Int) {
        after(CloudClient.pingEvery, number) { client in
            let answered = Guarded(false)
            client.state.use { $0.connection }?.ping { answered.use { $0 = true } }
            client.watch(number, answered, since: MonotonicClock.now)
        }
    }

    private func watch(_ number: Int, _ answered: Guarded<Bool>, since: Double) {
        if answered.use({ $0 }) { return keepAlive(number) }
        let now = MonotonicClock.now
        let alive = state.use { state in
            let transit = (try? state.link.state(now))?.transit_s ?? 0
            return max(since, state.heardAt, transit > 0 ? now : 0)
        }
        if now - alive > CloudClient.pongSeconds {
            return abort(ConnectionEnd(reason: "the connection is silent"), number)
        }
        after(CloudClient.pongSeconds / 20, number) { $0.watch(number, answered, since: alive) }
    }
}
