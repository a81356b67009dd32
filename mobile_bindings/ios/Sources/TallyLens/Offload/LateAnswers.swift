import CTally

/// Classes of answers that came too late: `tally_late`, in the core. Not thread-safe.
final class LateAnswers {
    /// Answers that came too late.
    private(set) var noted = 0
    /// Detections whose class was corrected.
    private(set) var corrected = 0
    private let handle: OpaquePointer

    init() throws(TallyLensError) {
        var options = tally_late_options()
        options.struct_size = UInt32(MemoryLayout<tally_late_options>.size)
        try check(tally_late_defaults(&options), nil)
        var made: OpaquePointer?
        try create { text, capacity in tally_late_create(&options, &made, text, capacity) }
        handle = made!
    }

    deinit { tally_late_destroy(handle) }

    /// Keep the answer to a frame that was counted already.
    func note(_ late: [tally_detection], _ now: Double) throws(TallyLensError) {
        noted += 1
        try check(tally_late_note(handle, late, Int32(late.count), now), tally_late_error(handle))
    }

    /// Give local detections the classes of late answers; boxes and scores stay.
    func apply(_ found: inout [tally_detection], _ now: Double) throws(TallyLensError) {
        var changed: Int32 = 0
        let status = tally_late_apply(handle, &found, Int32(found.count), now, &changed)
        try check(status, tally_late_error(handle))
        corrected += Int(changed)
    }
}
