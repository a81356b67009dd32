import CTally

/// Where a frame goes, and why.
struct OffloadDecision: Sendable, Hashable {
    enum Action: String, Sendable, CaseIterable {
        case local, cloud, skip
    }

    var action: Action
    /// A `tally_reason`.
    var reason: Int32

    /// The reason in words, as reports show it.
    var text: String { tally_reason_text(reason).map { String(cString: $0) } ?? "" }

    static let noAnswer = OffloadDecision(
        action: .local, reason: Int32(TALLY_REASON_NO_ANSWER.rawValue))
}

/// Decides where each frame goes: `tally_offload`, in the core. Not thread-safe.
final class OffloadPolicy {
    private let handle: OpaquePointer

    /// - Parameter share: maximum share of the frames that `auto` sends; nil for the default.
    init(_ mode: OffloadMode, share: Double? = nil) throws(TallyLensError) {
        var options = tally_offload_options()
        options.struct_size = UInt32(MemoryLayout<tally_offload_options>.size)
        try check(tally_offload_defaults(&options), nil)
        options.mode = mode.native
        if let share { options.share = share }
        var made: OpaquePointer?
        try create { text, capacity in tally_offload_create(&options, &made, text, capacity) }
        handle = made!
    }

    deinit { tally_offload_destroy(handle) }

    /// The decision to skip a frame that differs by so many gray levels, or nil.
    func skip(difference: Double) throws(TallyLensError) -> OffloadDecision? {
        var decision = tally_decision()
        try check(
            tally_offload_skip(handle, difference, &decision), tally_offload_error(handle))
        let one = OffloadDecision(decision)
        return one.action == .skip ? one : nil
    }

    func decide(_ facts: tally_offload_facts) throws(TallyLensError) -> OffloadDecision {
        var facts = facts
        facts.struct_size = UInt32(MemoryLayout<tally_offload_facts>.size)
        var decision = tally_decision()
        try check(tally_offload_decide(handle, &facts, &decision), tally_offload_error(handle))
        return OffloadDecision(decision)
    }

    /// The local model took so long for a frame.
    func computed(_ seconds: Double) throws(TallyLensError) {
        try check(tally_offload_computed(handle, seconds), tally_offload_error(handle))
    }

    /// Seconds that the local model takes.
    func local() throws(TallyLensError) -> tally_average {
        var average = tally_average()
        try check(tally_offload_local(handle, &average), tally_offload_error(handle))
        return average
    }

    /// The benefit to expect from a bigger model, and the numbers that it is a weighted sum of.
    static func reward(
        _ found: [tally_detection]
    ) throws(TallyLensError) -> (reward: Double, features: [Double]) {
        var features = [Double](repeating: 0, count: 5)
        var reward = 0.0
        try check(tally_offload_reward(found, Int32(found.count), &features, &reward), nil)
        return (reward, features)
    }

    /// A reason to send every frame, or TALLY_REASON_NONE.
    static func staticReason(_ facts: tally_offload_static_facts) throws(TallyLensError) -> Int32 {
        var facts = facts
        facts.struct_size = UInt32(MemoryLayout<tally_offload_static_facts>.size)
        var reason: Int32 = 0
        try check(tally_offload_static_reason(&facts, &reason), nil)
        return reason
    }
}

extension OffloadDecision {
    fileprivate init(_ native: tally_decision) {
        switch UInt32(native.action) {
        case TALLY_CLOUD.rawValue: action = .cloud
        case TALLY_SKIP.rawValue: action = .skip
        default: action = .local
        }
        reason = native.reason
    }
}

extension OffloadMode {
    fileprivate var native: Int32 {
        let mode =
            switch self {
            case .never: TALLY_OFFLOAD_NEVER
            case .auto: TALLY_OFFLOAD_AUTO
            case .always: TALLY_OFFLOAD_ALWAYS
            }
        return Int32(mode.rawValue)
    }
}
