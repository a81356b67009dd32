import Dispatch

/// One frame in work, one waiting: a newer frame replaces the one that waits. Every frame that is
/// offered is counted, dropped or skipped, and the numbers add up.
final class LiveQueue: Sendable {
    /// A frame that waits, with the time of its arrival.
    ///
    /// `@unchecked Sendable`, because it goes from the thread of the camera to the queue, and nobody else
    /// has the frame any more: `offer` takes it as `sending`.
    struct Job: @unchecked Sendable {
        let frame: Frame
        let time: Int64
        let arrived: ContinuousClock.Instant
    }

    private struct State {
        var waiting: Job?
        var working = false
        var closed = false
        var last = Int64.min
        var drops = Drops()
    }

    private let state = Guarded(State())
    private let worker = DispatchQueue(label: "tallylens", qos: .userInitiated)
    private let wants: @Sendable (Int64) -> String?
    private let process: @Sendable (Job, LiveQueue) -> Void

    /// - Parameters:
    ///   - wants: the reason why a frame of this capture time is not processed, or nil.
    ///   - process: counts a frame, on the queue.
    init(
        wants: @escaping @Sendable (Int64) -> String?,
        process: @escaping @Sendable (Job, LiveQueue) -> Void
    ) {
        self.wants = wants
        self.process = process
    }

    /// All drops so far.
    var drops: Drops { state.use { $0.drops } }

    /// Offer a frame, which is kept until it has been processed or replaced.
    func offer(_ frame: sending Frame, _ time: Int64) -> Admission {
        let job = Job(frame: frame, time: time, arrived: .now)
        let (admission, starts) = state.use { state -> (Admission, Bool) in
            if state.closed { return (.dropped(.closed), false) }
            if time <= state.last {
                state.drops.late += 1
                return (.dropped(.late), false)
            }
            state.last = time
            if let reason = wants(time) {
                state.drops.governor += 1
                return (.dropped(.governor(reason)), false)
            }
            if state.waiting != nil { state.drops.busy += 1 }
            state.waiting = job
            defer { state.working = true }
            return (.accepted, !state.working)
        }
        if starts { worker.async { self.work() } }
        return admission
    }

    private func work() {
        while let job = next() { process(job, self) }
    }

    private func next() -> Job? {
        state.use { state in
            guard let job = state.waiting else {
                state.working = false
                return nil
            }
            state.waiting = nil
            return job
        }
    }

    /// A frame that was offered earlier could not be counted.
    func failed() { state.use { $0.drops.failed += 1 } }

    /// Frames that the camera lost before they could be offered.
    func lost(_ drops: Drops) { state.use { $0.drops = $0.drops + drops } }

    /// Drops of an earlier count, which goes on here.
    func resume(_ before: Drops) { state.use { $0.drops = before } }

    /// Wait for the frame in work and the one that waits; of tests.
    func drain() { worker.sync {} }

    /// Drop the frame that waits; the one in work is finished.
    func close() {
        state.use { state in
            state.closed = true
            if state.waiting != nil { state.drops.busy += 1 }
            state.waiting = nil
        }
    }
}
