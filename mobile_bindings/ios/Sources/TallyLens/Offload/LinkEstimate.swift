import CTally

/// Round trip, bandwidth and server time of a link: `tally_link`, in the core. Not thread-safe.
final class LinkEstimate {
    private let handle: OpaquePointer

    init() throws(TallyLensError) {
        var options = tally_link_options()
        options.struct_size = UInt32(MemoryLayout<tally_link_options>.size)
        try check(tally_link_defaults(&options), nil)
        var made: OpaquePointer?
        try create { text, capacity in tally_link_create(&options, &made, text, capacity) }
        handle = made!
    }

    deinit { tally_link_destroy(handle) }

    /// Round trip of hello and welcome.
    func welcomed(_ seconds: Double) throws(TallyLensError) {
        try done(tally_link_welcomed(handle, seconds))
    }

    func sent(_ sequence: Int64, bytes: Int, _ now: Double) throws(TallyLensError) {
        try done(tally_link_sent(handle, sequence, Int64(bytes), now))
    }

    /// The answer to a frame came, which the server kept for `server` seconds.
    func answered(_ sequence: Int64, server: Double, _ now: Double) throws(TallyLensError) {
        try done(tally_link_answered(handle, sequence, server, now))
    }

    /// The connection has ended: forget the frames in flight.
    func lost() throws(TallyLensError) { try done(tally_link_lost(handle)) }

    /// Expected seconds of a frame to its answer, 95th percentile; 0 while that is not known.
    func expected(bytes: Int, _ now: Double) throws(TallyLensError) -> Double {
        var seconds = 0.0
        try done(tally_link_expected(handle, Int64(bytes), now, &seconds))
        return seconds
    }

    func state(_ now: Double) throws(TallyLensError) -> tally_link_state {
        var state = tally_link_state()
        state.struct_size = UInt32(MemoryLayout<tally_link_state>.size)
        try done(tally_link_get_state(handle, now, &state))
        return state
    }

    private func done(_ status: tally_status) throws(TallyLensError) {
        try check(status, tally_link_error(handle))
    }
}
