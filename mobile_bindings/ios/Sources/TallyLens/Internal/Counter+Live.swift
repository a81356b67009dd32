extension Counter {
    /// Count a frame of a live stream, on its queue.
    static func process(
        _ job: LiveQueue.Job, _ queue: LiveQueue, _ shared: Guarded<Shared>,
        _ governor: Guarded<Governor>, _ slots: UpdateSlots, _ offloading: OffloadingDetector?
    ) {
        let level = governor.use { $0.level }
        let lost = queue.drops
        do throws(TallyLensError) {
            let count = { (seen: SeenFrame?) throws(TallyLensError) -> CountUpdate? in
                try shared.use { (shared) throws(TallyLensError) -> CountUpdate? in
                    guard let session = shared.session else { return nil }
                    let outcome =
                        if let seen { try session.count(seen, job.time) } else {
                            try session.count(job.frame, job.time)
                        }
                    defer { shared.told = lost }
                    return CountUpdate(
                        Timestamp(nanoseconds: job.time), outcome, lost - shared.told, level,
                        job.arrived.duration(to: .now))
                }
            }
            let update: CountUpdate?
            if let offloading {
                update = try offloading.detect(job.frame, count: count)
            } else {
                update = try count(nil)
            }
            guard let update else { return }
            try governor.use { (governor) throws(TallyLensError) in
                try governor.learn(job.time, milliseconds: update.latency.milliseconds)
            }
            slots.put(update)
        } catch {
            queue.failed()
            shared.use { $0.lastError = error }
        }
    }
}

extension CountUpdate {
    init(
        _ time: Timestamp, _ outcome: FrameOutcome, _ dropped: Drops, _ level: Level,
        _ latency: Duration
    ) {
        self.init(
            timestamp: time, detections: outcome.detections, tracks: outcome.tracks,
            events: outcome.events, dropped: dropped, level: level, latency: latency)
    }
}
