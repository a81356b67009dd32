import CTally

/// Which frames are processed, by rate, latency and heat: `tally_governor`, which decides in the core.
/// Not thread-safe.
final class Governor {
    /// The level in force; changed by each decision of the core.
    private(set) var level = Level()
    private let handle: OpaquePointer
    private static let changes = 16

    init(maxFPS: Double, budgetMilliseconds: Double, sizes: Int = 1) throws(TallyLensError) {
        var options = tally_governor_options()
        options.struct_size = UInt32(MemoryLayout<tally_governor_options>.size)
        try check(tally_governor_defaults(&options), nil)
        options.num_sizes = Int32(sizes)
        options.budget_ms = budgetMilliseconds
        options.max_fps = maxFPS
        var made: OpaquePointer?
        try create { text, capacity in tally_governor_create(&options, &made, text, capacity) }
        handle = made!
    }

    deinit { tally_governor_destroy(handle) }

    /// The reason why the frame of this capture time is not wanted, or nil; once per frame, in order.
    func refusal(_ time: Int64) throws(TallyLensError) -> String? {
        var wanted: Int32 = 0
        var reason: Int32 = 0
        try decided(tally_governor_wants(handle, time, &wanted, &reason))
        return wanted != 0 ? nil : String(cString: tally_reason_name(reason))
    }

    func learn(_ time: Int64, milliseconds: Double) throws(TallyLensError) {
        try decided(tally_governor_learn(handle, time, milliseconds))
    }

    func setThermal(_ state: Int32) throws(TallyLensError) {
        try decided(tally_governor_set_thermal(handle, state))
    }

    func setHeadroom(_ headroom: Double) throws(TallyLensError) {
        try decided(tally_governor_set_headroom(handle, headroom))
    }

    private func decided(_ status: tally_status) throws(TallyLensError) {
        if status != TALLY_OK { throw failure(status, tally_governor_error(handle)) }
        for change in try takeChanges() {
            level = Level(
                rate: Int(change.level.rate), size: Int(change.level.size),
                paused: change.paused != 0,
                reason: String(cString: tally_reason_text(change.reason)))
            record?(change)
        }
    }

    /// Receives each change of level; of the conformance vectors.
    var record: ((tally_level_change) -> Void)?

    private func takeChanges() throws(TallyLensError) -> [tally_level_change] {
        var count: Int32 = 0
        var changes: [tally_level_change] = []
        let status = withUnsafeTemporaryAllocation(
            of: tally_level_change.self, capacity: Governor.changes
        ) { buffer in
            let status = tally_governor_take_changes(
                handle, buffer.baseAddress, Int32(Governor.changes), &count)
            if status == TALLY_OK && count > 0 { changes = Array(buffer[..<Int(count)]) }
            return status
        }
        try check(status, tally_governor_error(handle))
        return changes
    }

    /// The level in force, the lowest so far and whether it is paused, as the core has them.
    func state() throws(TallyLensError) -> tally_governor_state {
        var state = tally_governor_state()
        state.struct_size = UInt32(MemoryLayout<tally_governor_state>.size)
        try check(tally_governor_get_state(handle, &state), tally_governor_error(handle))
        return state
    }

    /// All levels, best first.
    func ladder() throws(TallyLensError) -> [tally_level] {
        var count: Int32 = 0
        var levels = [tally_level](repeating: tally_level(), count: 64)
        try check(
            tally_governor_ladder(handle, &levels, Int32(levels.count), &count),
            tally_governor_error(handle))
        return Array(levels[..<Int(count)])
    }
}
