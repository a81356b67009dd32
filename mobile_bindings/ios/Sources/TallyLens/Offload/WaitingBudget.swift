import CTally

/// How long a video may wait for the cloud, so that it ends little later than without one:
/// `tally_waiting`, in the core. Not thread-safe.
final class WaitingBudget {
    private let handle: OpaquePointer

    init(engines: Int) throws(TallyLensError) {
        var options = tally_waiting_options()
        options.struct_size = UInt32(MemoryLayout<tally_waiting_options>.size)
        try check(tally_waiting_defaults(&options), nil)
        options.engines = Int32(engines)
        var made: OpaquePointer?
        try create { text, capacity in tally_waiting_create(&options, &made, text, capacity) }
        handle = made!
    }

    deinit { tally_waiting_destroy(handle) }

    /// A frame starts; the time of the video starts with the first.
    func start(_ now: Double) throws(TallyLensError) { try done(tally_waiting_start(handle, now)) }

    /// `change` more frames wait for the cloud.
    func wait(_ now: Double, _ change: Int32) throws(TallyLensError) {
        try done(tally_waiting_wait(handle, now, change))
    }

    /// `change` more engines compute.
    func compute(_ now: Double, _ change: Int32) throws(TallyLensError) {
        try done(tally_waiting_compute(handle, now, change))
    }

    /// No engine had to compute a frame, which takes so many seconds.
    func saved(_ seconds: Double) throws(TallyLensError) {
        try done(tally_waiting_saved(handle, seconds))
    }

    /// How much longer frames may wait; 0 if they may not.
    func left(_ now: Double) throws(TallyLensError) -> Double {
        var seconds = 0.0
        try done(tally_waiting_left(handle, now, &seconds))
        return seconds
    }

    private func done(_ status: tally_status) throws(TallyLensError) {
        try check(status, tally_waiting_error(handle))
    }
}
