import CTally

/// Tracks objects through frames of one size and counts them: `tally_counter`. Not thread-safe.
final class CoreCounter {
    private let handle: OpaquePointer
    private let numClasses: Int
    private var tracks: UnsafeMutableBufferPointer<tally_track>
    private let events: UnsafeMutableBufferPointer<tally_event>

    init(
        numClasses: Int, width: Int, height: Int, anyClass: Bool, options: TrackingOptions
    ) throws(TallyLensError) {
        var native = try options.native()
        native.num_classes = Int32(clamping: numClasses)
        native.frame_width = Int32(clamping: width)
        native.frame_height = Int32(clamping: height)
        native.any_class = anyClass ? 1 : 0
        var made: OpaquePointer?
        try create { text, capacity in tally_counter_create(&native, &made, text, capacity) }
        handle = made!
        self.numClasses = numClasses
        tracks = .allocate(capacity: 300)
        events = .allocate(capacity: 256)
    }

    deinit {
        tally_counter_destroy(handle)
        tracks.deallocate()
        events.deallocate()
    }

    private func done(_ status: tally_status) throws(TallyLensError) {
        if status != TALLY_OK { throw failure(status, tally_counter_error(handle)) }
    }

    func addRegion(
        _ kind: String, _ points: [Point], extend: Bool, minDwell: Double
    ) throws(TallyLensError) {
        var options = tally_region_options()
        options.struct_size = UInt32(MemoryLayout<tally_region_options>.size)
        try done(tally_region_defaults(&options))
        options.extend = extend ? 1 : 0
        options.min_dwell_s = Float(minDwell)
        let corners = points.map { tally_point(x: Float($0.x), y: Float($0.y)) }
        var index: Int32 = 0
        try done(
            tally_counter_add_region(
                handle, kind, corners, Int32(corners.count), &options, &index))
    }

    /// Ignore detections whose anchor is inside of these corners.
    func ignore(_ corners: [[Double]]) throws(TallyLensError) {
        let points = corners.map { tally_point(x: Float($0[0]), y: Float($0[1])) }
        try done(tally_counter_ignore(handle, points, Int32(points.count)))
    }

    /// Count these classes only; the events of others wait until their object becomes one of them.
    func want(_ classes: Set<Int>) throws(TallyLensError) {
        let ids = classes.sorted().map { Int32($0) }
        try done(tally_counter_want_classes(handle, ids, Int32(ids.count)))
        try done(tally_counter_withhold(handle))
    }

    /// Count the detections of one frame.
    func update(
        _ time: Int64, _ detections: UnsafeBufferPointer<tally_detection>
    ) throws(TallyLensError) {
        let status = tally_counter_update(
            handle, time, detections.baseAddress, Int32(detections.count))
        if status == TALLY_OUT_OF_ORDER {
            let last = try diagnostics().last_timestamp_ns
            throw TallyLensError(
                .timestamp, "the timestamp \(time) ns is not later than \(last) ns",
                "Give each frame its capture time, in order")
        }
        try done(status)
    }

    /// Confirmed tracks of the last frame; valid until the next call.
    func currentTracks() throws(TallyLensError) -> UnsafeBufferPointer<tally_track> {
        var count: Int32 = 0
        var status = tally_counter_tracks(
            handle, tracks.baseAddress, Int32(tracks.count), &count)
        if status == TALLY_BUFFER_TOO_SMALL {
            tracks.deallocate()
            tracks = .allocate(capacity: 2 * Int(count))
            status = tally_counter_tracks(
                handle, tracks.baseAddress, Int32(tracks.count), &count)
        }
        try done(status)
        return UnsafeBufferPointer(rebasing: tracks[..<Int(count)])
    }

    /// The events since the last call.
    func takeEvents() throws(TallyLensError) -> [CountEvent] {
        var taken: [CountEvent] = []
        while true {
            var count: Int32 = 0
            try done(
                tally_counter_take_events(
                    handle, events.baseAddress, Int32(events.count), &count))
            for event in events[..<Int(count)] { taken.append(CountEvent(event)) }
            if Int(count) < events.count { return taken }
        }
    }

    func conclude() throws(TallyLensError) { try done(tally_counter_conclude(handle)) }

    func reset() throws(TallyLensError) { try done(tally_counter_reset(handle)) }

    func unique() throws(TallyLensError) -> [Int64] {
        try totals { tally_counter_unique(handle, $0, $1) }
    }

    /// How many of the unique objects could be one that was counted before.
    func returned() throws(TallyLensError) -> [Int64] {
        try totals { tally_counter_returned(handle, $0, $1) }
    }

    func returns() throws(TallyLensError) -> PossibleReturns {
        PossibleReturns(
            numbers: try returned(),
            seen: try all(tally_seen()) { tally_counter_seen(handle, $0, $1, $2) },
            returns: try all(tally_return()) { tally_counter_returns(handle, $0, $1, $2) })
    }

    private func all<Item>(
        _ empty: Item,
        _ read: (UnsafeMutablePointer<Item>, Int32, UnsafeMutablePointer<Int32>) -> tally_status
    ) throws(TallyLensError) -> [Item] {
        try every(empty, { (status) throws(TallyLensError) in try self.done(status) }, read)
    }

    /// The events that wait until their object becomes one of a wanted class.
    func withheld() throws(TallyLensError) -> [tally_withheld] {
        try all(tally_withheld()) { tally_counter_withheld(handle, $0, $1, $2) }
    }

    func restore(_ withheld: [tally_withheld]) throws(TallyLensError) {
        try done(tally_counter_restore_withheld(handle, withheld, Int32(withheld.count)))
    }

    /// Why totals are zero, or smaller than expected.
    func findings() throws(TallyLensError) -> [tally_finding] {
        try all(tally_finding()) { tally_counter_findings(handle, $0, $1, $2) }
    }

    func restore(_ saved: PossibleReturns) throws(TallyLensError) {
        try done(
            tally_counter_restore_returns(
                handle, saved.numbers, Int32(saved.numbers.count), saved.seen,
                Int32(saved.seen.count), saved.returns, Int32(saved.returns.count)))
    }

    func detected() throws(TallyLensError) -> [Int64] {
        try totals { tally_counter_detected(handle, $0, $1) }
    }

    func regionTotal(_ region: PlacedRegion, _ total: Int) throws(TallyLensError) -> [Int64] {
        try totals {
            tally_counter_region_total(
                handle, region.kind, Int32(region.index), Int32(total), $0, $1)
        }
    }

    private func totals(
        _ read: (UnsafeMutablePointer<Int64>, Int32) -> tally_status
    ) throws(TallyLensError) -> [Int64] {
        var numbers = [Int64](repeating: 0, count: numClasses)
        try done(numbers.withUnsafeMutableBufferPointer { read($0.baseAddress!, Int32($0.count)) })
        return numbers
    }

    func regionValue(_ region: PlacedRegion, _ value: Int) throws(TallyLensError) -> Double {
        var number = 0.0
        try done(
            tally_counter_region_value(
                handle, region.kind, Int32(region.index), Int32(value), &number))
        return number
    }

    func diagnostics() throws(TallyLensError) -> tally_diagnostics {
        var facts = tally_diagnostics()
        facts.struct_size = UInt32(MemoryLayout<tally_diagnostics>.size)
        try done(tally_counter_diagnostics(handle, &facts))
        return facts
    }

    func save() throws(TallyLensError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            var size = 0
            let status = tally_counter_save(handle, &bytes, bytes.count, &size)
            if status != TALLY_BUFFER_TOO_SMALL {
                try done(status)
                return Array(bytes[..<size])
            }
            bytes = [UInt8](repeating: 0, count: size)
        }
    }

    func restore(_ state: [UInt8]) throws(TallyLensError) {
        try done(tally_counter_restore(handle, state, state.count))
    }
}

extension CountEvent {
    /// The event as the core has it.
    var native: tally_event {
        tally_event(
            timestamp_ns: timestamp.nanoseconds, track_id: trackID,
            kind: Int32(EventKind.allCases.firstIndex(of: kind)!), class_id: Int32(clamping: classID),
            previous_class_id: Int32(clamping: previousClassID), region: Int32(clamping: place), x: x,
            y: y, confidence: confidence, age_s: ageSeconds, dwell_s: dwellSeconds)
    }

    init(_ event: tally_event) {
        kind = EventKind.allCases[Int(event.kind)]
        timestamp = Timestamp(nanoseconds: event.timestamp_ns)
        trackID = event.track_id
        classID = Int(event.class_id)
        previousClassID = Int(event.previous_class_id)
        place = Int(event.region)
        x = event.x
        y = event.y
        confidence = event.confidence
        ageSeconds = event.age_s
        dwellSeconds = event.dwell_s
        className = ""
        region = ""
    }
}
