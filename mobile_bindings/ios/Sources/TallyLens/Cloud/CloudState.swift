import CTally
import Foundation

/// Frames and bytes that went over the link since the client was started.
struct LinkTotals: Sendable {
    var sent = 0
    var sentBytes = 0
    var rejected = 0
    var dropped = 0
    var connections = 0
}

/// The link at one moment; seconds and bytes.
struct LinkFacts: Sendable {
    /// The server has said welcome on this connection, and is not about to restart.
    var connected: Bool
    var creditsLeft: Int
    /// Frames without an answer that are still of use.
    var inFlight: Int
    /// The server has not said to wait.
    var allowed: Bool
    /// Frames in flight, also those that nobody waits for any more.
    var unanswered: Int
    /// What the core estimates.
    var estimate: tally_link_state
}

/// The end of the wait for a frame.
enum FrameAnswer: Sendable {
    case result(FrameResult)
    /// The server's reason, or `expired`: its time was over, or the connection was lost.
    case none(reason: String)
}

/// Everything that a client knows; behind one lock.
struct CloudState {
    /// A frame that somebody waits for.
    struct Waiting {
        var scale: (x: Double, y: Double)
        var done: @Sendable (FrameAnswer) -> Void
    }

    var session: ClientSession
    let link: LinkEstimate
    var totals = LinkTotals()
    var refusals = Refusals()
    /// Why the client has ended for good: the server has never accepted it.
    var problem: TallyLensError?
    /// The connection in use, and its number.
    var connection: (any Connection)?
    var number = 0
    var isOpened = false
    var isSending = false
    var isStopping = false
    var hasSaidBye = false
    var isTicking = false
    var backoff = CloudClient.firstBackoff
    var helloAt = 0.0
    var heardAt = 0.0
    var refusedUntil = 0.0
    var summary: Summary?
    private var waiting: [Int64: Waiting] = [:]
    /// Scales of frames that nobody waits for, to recognize their late answers.
    private var abandoned: [Int64: (x: Double, y: Double)] = [:]
    private static let maxAbandoned = 64

    init(_ hello: Hello) throws(TallyLensError) {
        session = ClientSession(hello)
        link = try LinkEstimate()
    }

    func facts(_ now: Double) throws(TallyLensError) -> LinkFacts {
        let estimate = try link.state(now)
        return LinkFacts(
            connected: session.state == .open, creditsLeft: session.creditsLeft,
            inFlight: session.inFlight, allowed: now >= refusedUntil,
            unanswered: max(Int(estimate.unanswered), session.inFlight), estimate: estimate)
    }

    mutating func wait(for sequence: Int64, _ one: Waiting) { waiting[sequence] = one }

    /// End the wait for a frame without an answer; one that still comes is late.
    mutating func abandon(_ sequence: Int64) -> Waiting? {
        guard let one = waiting.removeValue(forKey: sequence) else { return nil }
        abandoned[sequence] = one.scale
        if abandoned.count > CloudState.maxAbandoned {
            abandoned.keys.min().map { abandoned[$0] = nil }
        }
        return one
    }

    /// End every wait: there will be no more answers.
    mutating func abandonAll() -> [Waiting] { waiting.keys.sorted().compactMap { abandon($0) } }

    /// Frames that were given up.
    mutating func drop(_ frames: [PendingFrame]) -> [Waiting] {
        totals.dropped += frames.count
        return frames.compactMap { abandon($0.sequence) }
    }

    /// Take the answer to a frame: who waits for it, or the scale of one that was abandoned.
    mutating func answered(
        _ sequence: Int64, server seconds: Double, _ now: Double
    ) -> (waiting: Waiting?, late: (x: Double, y: Double)?) {
        // The core takes every number that the protocol lets through.
        try? link.answered(sequence, server: seconds, now)
        return (
            waiting.removeValue(forKey: sequence), abandoned.removeValue(forKey: sequence)
        )
    }
}
