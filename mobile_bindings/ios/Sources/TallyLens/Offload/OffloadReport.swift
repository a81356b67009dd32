/// What was asked of the server and why; its JSON is `offload` of `tallylens count --json`.
public struct OffloadReport: Sendable, Hashable, Codable {
    /// Frames of one action and reason.
    public struct Decision: Sendable, Hashable, Codable {
        /// `local`, `cloud` or `skip`.
        public var action: String
        /// Why, in words.
        public var reason: String
        /// How many.
        public var frames: Int
    }

    /// A reason with which the server refused this device.
    public struct Refusal: Sendable, Hashable, Codable {
        /// In words.
        public var reason: String
        /// How often.
        public var times: Int
    }

    /// When the server was asked.
    public var mode: OffloadMode
    /// Frames by action: `local`, `cloud`, and `skip` where nothing had changed.
    public var frames: [String: Int]
    /// The same by reason, most frames first.
    public var decisions: [Decision]
    /// Maximum time of a frame.
    public var deadlineMs: Int
    /// Frames that took longer.
    public var missedDeadlines: Int
    /// The longest time.
    public var longestFrameMs: Double
    /// Bytes of frames that were sent.
    public var sentBytes: Int
    /// Frames that the server refused.
    public var rejected: Int
    /// Frames that were given up before an answer.
    public var dropped: Int
    /// Answers that came too late.
    public var late: Int
    /// Detections whose class they corrected.
    public var corrected: Int
    /// Connections that the server accepted.
    public var connections: Int
    /// Reasons with which it refused this device.
    public var refusals: [Refusal]
    /// Round trip, 95th percentile.
    public var rttMs: Double
    /// Of the link, 0 where it is not known.
    public var bytesPerSecond: Int

    private enum CodingKeys: String, CodingKey {
        case mode, frames, decisions, rejected, dropped, late, corrected, connections, refusals
        case deadlineMs = "deadline_ms"
        case missedDeadlines = "missed_deadlines"
        case longestFrameMs = "longest_frame_ms"
        case sentBytes = "sent_bytes"
        case rttMs = "rtt_ms"
        case bytesPerSecond = "bytes_per_second"
    }
}

/// Counts decisions, and frames that took longer than the deadline.
struct DecisionLog: Sendable {
    let deadline: Double
    private var decisions: [OffloadDecision: Int] = [:]
    private var longest = 0.0
    private var missed = 0

    init(deadline: Double) { self.deadline = deadline }

    var hasFrames: Bool { !decisions.isEmpty }

    /// Note a frame that took so many seconds in all.
    mutating func add(_ decision: OffloadDecision, _ seconds: Double) {
        decisions[decision, default: 0] += 1
        longest = max(longest, seconds)
        if seconds > deadline { missed += 1 }
    }

    func report(_ mode: OffloadMode) -> OffloadReport {
        var frames = Dictionary(
            uniqueKeysWithValues: OffloadDecision.Action.allCases.map { ($0.rawValue, 0) })
        for (decision, count) in decisions { frames[decision.action.rawValue, default: 0] += count }
        let rows = decisions.map {
            OffloadReport.Decision(
                action: $0.key.action.rawValue, reason: $0.key.text, frames: $0.value)
        }
        return OffloadReport(
            mode: mode, frames: frames,
            decisions: rows.sorted { ($1.frames, $0.reason) < ($0.frames, $1.reason) },
            deadlineMs: Int((deadline * 1000).rounded()), missedDeadlines: missed,
            longestFrameMs: rounded(longest * 1000, 1), sentBytes: 0, rejected: 0, dropped: 0,
            late: 0, corrected: 0, connections: 0, refusals: [], rttMs: 0, bytesPerSecond: 0)
    }
}
