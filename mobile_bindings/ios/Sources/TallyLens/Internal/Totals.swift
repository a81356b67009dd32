import CTally

/// What is counted, for all of `Totals`.
struct Counting {
    var classNames: [String]
    var lines: [Line]
    var zones: [Zone]
    var classes: Set<String>?
    var anyClass: Bool
    var tracking: TrackingOptions
    var filter = DetectionFilter()
}

/// Tracks and counts the detections of one source, frame by frame; as Python's `Totals`.
final class Totals {
    let width: Int
    let height: Int
    let classNames: [String]
    let options: TrackingOptions
    let filter: ClassFilter
    let ignored: PlacedFilter
    let placed: [PlacedRegion]
    let counter: CoreCounter
    let occupancy: TimeBins
    var first: Int64?
    var last: Int64 = 0

    init(_ counting: Counting, width: Int, height: Int) throws(TallyLensError) {
        self.width = width
        self.height = height
        classNames = counting.anyClass ? ["object"] : counting.classNames
        options = try counting.tracking.complete()
        filter = try ClassFilter(classNames, counting.anyClass ? nil : counting.classes)
        placed = try placeRegions(counting.lines, counting.zones, width: width, height: height)
        ignored = try counting.filter.placed(width: width, height: height)
        counter = try CoreCounter(
            numClasses: classNames.count, width: width, height: height,
            anyClass: counting.anyClass, options: ignored.applied(to: counting.tracking))
        occupancy = try TimeBins()
        for zone in ignored.zones { try counter.ignore(zone.points) }
        if !filter.takesAll { try counter.want(filter.wanted) }
        for region in placed {
            try counter.addRegion(
                region.kind, region.points, extend: region.line?.extend ?? false,
                minDwell: region.zone?.minDwellSeconds ?? 0)
        }
    }

    /// Capture time from the first frame to the last.
    var seconds: Double { first.map { Double(last - $0) / 1e9 } ?? 0 }

    /// Count one frame: the tracks and events of the wanted classes.
    func add(
        _ time: Int64, _ detections: UnsafeBufferPointer<tally_detection>
    ) throws(TallyLensError) -> ([Track], [CountEvent]) {
        try counter.update(time, detections)
        let found = try counter.currentTracks()
        let events = named(try counter.takeEvents())
        if first == nil { first = time }
        last = time
        let tracks = found.compactMap { wantedTrack($0) }
        try occupancy.add(seconds, tracks.map { Int32($0.classID) })
        return (tracks, events)
    }

    /// The source has ended: count what is past a line and moves on; the events of that.
    func conclude() throws(TallyLensError) -> [CountEvent] {
        try counter.conclude()
        return named(try counter.takeEvents())
    }

    private func wantedTrack(_ track: tally_track) -> Track? {
        let id = Int(track.class_id)
        if !filter.takesAll && !filter.wanted.contains(id) { return nil }
        return Track(
            trackID: track.track_id, x1: track.x1, y1: track.y1, x2: track.x2, y2: track.y2,
            confidence: track.confidence, classID: id, className: classNames[id])
    }

    private func named(_ events: [CountEvent]) -> [CountEvent] {
        var named = events
        for i in named.indices {
            named[i].className = classNames[named[i].classID]
            named[i].region = region(of: named[i])?.name ?? ""
        }
        return named
    }

    private func region(of event: CountEvent) -> PlacedRegion? {
        let kind: String
        switch event.kind {
        case .crossedIn, .crossedOut: kind = "line"
        case .entered, .left: kind = "zone"
        case .confirmed, .reclassified: return nil
        }
        return placed.first { $0.kind == kind && $0.index == event.place }
    }

    /// How many objects of each class were in view at once, over time.
    func present() throws(TallyLensError) -> [Occupancy] {
        try occupancy.entries().map { start, numbers in
            let named = numbers.map { (classNames[$0.0], $0.1) }
            return Occupancy(seconds: start, counts: Dictionary(named, uniquingKeysWith: max))
        }
    }

    /// Different objects so far.
    func unique() throws(TallyLensError) -> [String: Int] { filter.named(try counter.unique()) }

    /// Minimum and maximum of different objects, of the classes where these differ.
    func uniqueRange() throws(TallyLensError) -> [String: ClosedRange<Int>] {
        let doubtful = filter.named(try counter.returned())
        var ranges: [String: ClosedRange<Int>] = [:]
        for (name, most) in try unique() {
            if let few = doubtful[name], few != 0 { ranges[name] = (most - few)...most }
        }
        return ranges
    }

    func lines() throws(TallyLensError) -> [LineCounts] {
        var counts: [LineCounts] = []
        for region in placed {
            guard let line = region.line else { continue }
            counts.append(
                LineCounts(
                    name: region.name,
                    crossedIn: filter.named(try counter.regionTotal(region, 0)),
                    crossedOut: filter.named(try counter.regionTotal(region, 1)),
                    inName: line.inName, outName: line.outName))
        }
        return counts
    }

    func zones() throws(TallyLensError) -> [ZoneCounts] {
        var counts: [ZoneCounts] = []
        for region in placed where region.zone != nil {
            counts.append(
                ZoneCounts(
                    name: region.name, now: filter.named(try counter.regionTotal(region, 0)),
                    entered: filter.named(try counter.regionTotal(region, 1)),
                    left: filter.named(try counter.regionTotal(region, 2)),
                    meanDwellSeconds: try counter.regionValue(region, 0),
                    maxDwellSeconds: try counter.regionValue(region, 1)))
        }
        return counts
    }

    /// End a period: all totals restart from zero.
    func reset() throws(TallyLensError) { try counter.reset() }

    func wanted(_ detections: UnsafeBufferPointer<tally_detection>) -> [Detection] {
        if filter.takesAll { return detections.map { Detection($0) } }
        return detections.filter { filter.wanted.contains(Int($0.class_id)) }.map { Detection($0) }
    }
}

extension Detection {
    init(_ one: tally_detection) {
        self.init(
            x1: one.x1, y1: one.y1, x2: one.x2, y2: one.y2, confidence: one.confidence,
            classID: Int(one.class_id))
    }
}
