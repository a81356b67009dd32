import CTally
import Foundation

/// A detector that may ask a bigger one: local, cloud or neither, and never after the deadline. Not
/// thread-safe.
final class Offloader {
    private let options: OffloadOptions
    private let isLive: Bool
    private let policy: OffloadPolicy
    private let remote: RemoteDetector
    /// Of a video in mode `auto`, which must not end late.
    private let budget: WaitingBudget?
    private let deadline: Double
    /// What reports say, and how to end the wait for an answer, from any thread.
    let status: OffloadStatus
    private let local: Detector
    private var last: (view: FrameView, found: [tally_detection])?
    private var isStarted = false
    /// Nanoseconds of the last frame that inference took on the device.
    private(set) var inferenceNanos: UInt64 = 0

    private static let (liveDeadline, videoDeadline) = (0.5, 10.0)
    /// How long the first connection of a video may take before the device starts alone.
    private static let (connectSeconds, shortConnectSeconds) = (5.0, 1.0)
    /// For threads to wake up in.
    private static let spareSeconds = 0.02
    /// How many times of the local model a frame without an answer may have to wait for: its own, and
    /// that of the frame which comes then.
    private static let localTurns = 2.0

    init(_ options: OffloadOptions, live: Bool, local: Detector) throws(TallyLensError) {
        try options.check()
        self.local = local
        let classNames = local.engine.metadata.classNames
        self.options = options
        isLive = live
        policy = try OffloadPolicy(options.mode)
        remote = try RemoteDetector(options, live: live, classNames: classNames)
        budget = options.mode == .auto && !live ? try WaitingBudget(engines: 1) : nil
        let usual = live ? Offloader.liveDeadline : Offloader.videoDeadline
        deadline = options.deadline?.seconds ?? usual
        status = OffloadStatus(
            mode: options.mode, log: Guarded(DecisionLog(deadline: deadline)),
            client: remote.client, late: remote.late)
        if options.mode != .never { remote.client.start() }
    }

    deinit { remote.client.close(waiting: 0) }

    /// Objects in a frame, from whichever model was chosen.
    func detect(
        _ frame: borrowing Frame
    ) throws(TallyLensError) -> [tally_detection] {
        try waitAtStart()
        let started = MonotonicClock.now
        inferenceNanos = 0
        try budget?.start(started)
        let view = try FrameView(frame)
        let (found, decision) = try found(in: frame, view, started)
        status.log.use { $0.add(decision, MonotonicClock.now - started) }
        if decision.action != .skip { last = (view, found) }
        return found
    }

    /// A video waits for the first connection; if the server refuses, that is an error at once.
    private func waitAtStart() throws(TallyLensError) {
        if isStarted || isLive || options.mode == .never { return }
        isStarted = true
        let seconds =
            budget == nil ? Offloader.connectSeconds : Offloader.shortConnectSeconds
        _ = try remote.client.waitForWelcome(seconds)
    }

    private func unchanged(
        _ view: FrameView
    ) throws(TallyLensError) -> ([tally_detection], OffloadDecision)? {
        guard let last, let decision = try policy.skip(difference: last.view.difference(view))
        else { return nil }
        return (last.found, decision)
    }

    private func found(
        in frame: borrowing Frame, _ view: FrameView, _ started: Double
    ) throws(TallyLensError) -> ([tally_detection], OffloadDecision) {
        if let same = try unchanged(view) { return same }
        return try decided(frame, started)
    }

    private func decided(
        _ frame: borrowing Frame, _ started: Double
    ) throws(TallyLensError) -> ([tally_detection], OffloadDecision) {
        let always = try staticReason()
        let before = try localBefore(frame, always)
        var decision = try decide(before, started, always)
        if decision.action == .cloud {
            if let found = try ask(frame, started, before != nil, always) {
                return (found, decision)
            }
            decision = .noAnswer
        }
        var found: [tally_detection]
        if let before { found = before } else { found = try compute(frame) }
        try remote.correct(&found)
        return (found, decision)
    }

    private func staticReason() throws(TallyLensError) -> Int32 {
        var facts = tally_offload_static_facts()
        facts.live = isLive ? 1 : 0
        facts.model_bytes = Int64(options.modelBytes)
        facts.memory_bytes = Int64(options.memoryBytes ?? -1)
        facts.local_s = try policy.local().mean
        facts.cloud_s = remote.throughput(try remote.client.facts())
        return try OffloadPolicy.staticReason(facts)
    }

    /// The local detections that `auto` needs to decide; and in every mode those of the first frame,
    /// which measure how long the local model takes.
    private func localBefore(
        _ frame: borrowing Frame, _ always: Int32
    ) throws(TallyLensError) -> [tally_detection]? {
        let none = Int32(TALLY_REASON_NONE.rawValue)
        if options.mode != .always && always == none { return try compute(frame) }
        return try policy.local().samples > 0 ? nil : try compute(frame)
    }

    private func decide(
        _ before: [tally_detection]?, _ started: Double, _ always: Int32
    ) throws(TallyLensError) -> OffloadDecision {
        let isReady = remote.isReady
        let link = try remote.client.facts()
        var facts = tally_offload_facts()
        facts.connected = link.connected && isReady ? 1 : 0
        facts.allowed = link.allowed ? 1 : 0
        facts.smallest = remote.isSmallest ? 1 : 0
        facts.measuring = link.estimate.measured == 0 && link.unanswered > 0 ? 1 : 0
        facts.static_reason = always
        facts.credits_left = Int64(link.creditsLeft)
        if let before { facts.reward = try OffloadPolicy.reward(before).reward }
        facts.link_debt_s = link.estimate.debt_s
        facts.silent_s = link.estimate.silent_s
        facts.silence_limit_s = link.estimate.silence_limit_s
        facts.expected_s = try remote.expected(link)
        facts.deadline_s = deadline - (MonotonicClock.now - started)
        if before == nil { facts.local_s = try policy.local().p95 }
        facts.waiting_s = try budget(always)?.left(MonotonicClock.now) ?? .infinity
        return try policy.decide(facts)
    }

    /// The account of the time that a video may wait; none where it has to.
    private func budget(_ always: Int32) -> WaitingBudget? {
        always == Int32(TALLY_REASON_TOO_BIG.rawValue) ? nil : budget
    }

    private func compute(
        _ frame: borrowing Frame
    ) throws(TallyLensError) -> [tally_detection] {
        let started = MonotonicClock.now
        try budget?.compute(started, 1)
        let found = Array(try local.detect(frame))
        inferenceNanos += local.inferenceNanos
        let ended = MonotonicClock.now
        try policy.computed(ended - started)
        try budget?.compute(ended, -1)
        return found
    }

    /// The server's answer, or nil in time to detect without it.
    private func ask(
        _ frame: borrowing Frame, _ started: Double, _ hasLocal: Bool, _ always: Int32
    ) throws(TallyLensError) -> [tally_detection]? {
        let local = try policy.local()
        let reserve = hasLocal ? 0 : Offloader.localTurns * local.p95
        let until = started + deadline - reserve - Offloader.spareSeconds
        guard let budget = budget(always) else { return try remote.detect(frame, until: until) }
        let begun = MonotonicClock.now
        try budget.wait(begun, 1)
        let left = try budget.left(begun)
        let found = try remote.detect(frame, until: min(until, begun + left))
        try budget.wait(MonotonicClock.now, -1)
        if found != nil && !hasLocal { try budget.saved(local.mean) }
        return found
    }
}
