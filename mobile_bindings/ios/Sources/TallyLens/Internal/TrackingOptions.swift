import CTally

/// Thresholds of tracking and counting; those that are nil keep the core's default.
struct TrackingOptions: Sendable {
    var anchor: Int32?
    var lowConfidence: Float?
    var highConfidence: Float?
    var newConfidence: Float?
    var confirmS: Float?
    var confirmConfidence: Float?
    var lostS: Float?
    var edgeLostS: Float?
    var hysteresis: Float?
    var rememberS: Float?
    var minSize: Float?
    var maxSize: Float?

    /// The core's options with these values in place of the defaults.
    func native() throws(TallyLensError) -> tally_counter_options {
        var options = tally_counter_options()
        options.struct_size = UInt32(MemoryLayout<tally_counter_options>.size)
        try check(tally_counter_defaults(&options), nil)
        if let anchor { options.anchor = anchor }
        if let lowConfidence { options.low_confidence = lowConfidence }
        if let highConfidence { options.high_confidence = highConfidence }
        if let newConfidence { options.new_confidence = newConfidence }
        if let confirmS { options.confirm_s = confirmS }
        if let confirmConfidence { options.confirm_confidence = confirmConfidence }
        if let lostS { options.lost_s = lostS }
        if let edgeLostS { options.edge_lost_s = edgeLostS }
        if let hysteresis { options.hysteresis = hysteresis }
        if let rememberS { options.remember_s = rememberS }
        if let minSize { options.min_size = minSize }
        if let maxSize { options.max_size = maxSize }
        return options
    }

    /// These options with the core's defaults in place of nil.
    func complete() throws(TallyLensError) -> TrackingOptions {
        let all = try native()
        return TrackingOptions(
            anchor: all.anchor, lowConfidence: all.low_confidence,
            highConfidence: all.high_confidence, newConfidence: all.new_confidence,
            confirmS: all.confirm_s, confirmConfidence: all.confirm_confidence, lostS: all.lost_s,
            edgeLostS: all.edge_lost_s, hysteresis: all.hysteresis, rememberS: all.remember_s,
            minSize: all.min_size, maxSize: all.max_size)
    }
}
