/// A report as JSON: the keys and the rounding of `tallylens count --json`.
extension CountReport: Codable {
    private enum Keys: String, CodingKey {
        case source, model, engine, frames, seconds, unique, lines, zones, occupancy, warnings, speed
        case interrupted, started, dropped, skipped, uncounted, periods, offload
        case filters
        case uniqueRange = "unique_range"
    }

    private struct OccupancyPair: Codable {
        var one: Occupancy

        init(_ one: Occupancy) { self.one = one }

        init(from decoder: any Decoder) throws {
            var pair = try decoder.unkeyedContainer()
            one = Occupancy(
                seconds: try pair.decode(Double.self), counts: try pair.decode([String: Int].self))
        }

        func encode(to encoder: any Encoder) throws {
            var pair = encoder.unkeyedContainer()
            try pair.encode(one.seconds)
            try pair.encode(one.counts)
        }
    }

    /// Write the document.
    public func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        try out.encode(source, forKey: .source)
        try out.encode(model, forKey: .model)
        try out.encode(engine, forKey: .engine)
        try out.encode(frames, forKey: .frames)
        try out.encode(rounded(seconds), forKey: .seconds)
        try out.encode(unique, forKey: .unique)
        try out.encode(lines, forKey: .lines)
        try out.encode(zones, forKey: .zones)
        try out.encode(occupancy.map { OccupancyPair($0) }, forKey: .occupancy)
        try out.encode(warnings, forKey: .warnings)
        try out.encode(speed, forKey: .speed)
        try out.encode(interrupted, forKey: .interrupted)
        try out.encode(started, forKey: .started)
        try out.encode(dropped, forKey: .dropped)
        try out.encode(skipped, forKey: .skipped)
        try encodeUncounted(&out)
        try out.encode([String](), forKey: .periods)
        if !uniqueRange.isEmpty {
            let pairs = uniqueRange.mapValues { [$0.lowerBound, $0.upperBound] }
            try out.encode(pairs, forKey: .uniqueRange)
        }
        try out.encodeIfPresent(offload, forKey: .offload)
    }

    /// The ignored detections are told where there is a filter only.
    private func encodeUncounted(_ out: inout KeyedEncodingContainer<Keys>) throws {
        guard !filters.isEmpty else { return try out.encode(uncounted, forKey: .uncounted) }
        try out.encode(filters, forKey: .filters)
        var nested = out.nestedContainer(keyedBy: Uncounted.Keys.self, forKey: .uncounted)
        try uncounted.encode(&nested)
        try nested.encode(uncounted.ignoredDetections, forKey: .ignoredDetections)
    }

    /// Read a document.
    public init(from decoder: any Decoder) throws {
        let input = try decoder.container(keyedBy: Keys.self)
        source = try input.decode(String.self, forKey: .source)
        model = try input.decode(String.self, forKey: .model)
        engine = try input.decode(String.self, forKey: .engine)
        frames = try input.decode(Int.self, forKey: .frames)
        seconds = try input.decode(Double.self, forKey: .seconds)
        unique = try input.decode([String: Int].self, forKey: .unique)
        lines = try input.decode([LineCounts].self, forKey: .lines)
        zones = try input.decode([ZoneCounts].self, forKey: .zones)
        occupancy = try input.decode([OccupancyPair].self, forKey: .occupancy).map(\.one)
        warnings = try input.decode([String].self, forKey: .warnings)
        speed = try input.decode(Speed.self, forKey: .speed)
        interrupted = try input.decode(Bool.self, forKey: .interrupted)
        started = try input.decodeIfPresent(String.self, forKey: .started)
        dropped = try input.decode(Int.self, forKey: .dropped)
        skipped = try input.decode(Int.self, forKey: .skipped)
        uncounted = try input.decode(Uncounted.self, forKey: .uncounted)
        offload = try input.decodeIfPresent(OffloadReport.self, forKey: .offload)
        filters = try input.decodeIfPresent(PlacedFilter.self, forKey: .filters) ?? PlacedFilter()
        let pairs = try input.decodeIfPresent([String: [Int]].self, forKey: .uniqueRange) ?? [:]
        uniqueRange = try pairs.mapValues { pair in
            guard pair.count == 2, pair[0] <= pair[1] else {
                throw DecodingError.dataCorruptedError(
                    forKey: .uniqueRange, in: input, debugDescription: "a range is a pair")
            }
            return pair[0]...pair[1]
        }
    }
}

extension LineCounts: Codable {
    private enum Keys: String, CodingKey { case name, `in`, out, directions }

    /// Write `name`, `in`, `out` and `directions`.
    public func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        try out.encode(name, forKey: .name)
        try out.encode(crossedIn, forKey: .in)
        try out.encode(crossedOut, forKey: .out)
        try out.encode(["in": inName, "out": outName], forKey: .directions)
    }

    /// Read what `encode` wrote.
    public init(from decoder: any Decoder) throws {
        let input = try decoder.container(keyedBy: Keys.self)
        let names = try input.decode([String: String].self, forKey: .directions)
        name = try input.decode(String.self, forKey: .name)
        crossedIn = try input.decode([String: Int].self, forKey: .in)
        crossedOut = try input.decode([String: Int].self, forKey: .out)
        inName = names["in"] ?? "in"
        outName = names["out"] ?? "out"
    }
}

extension ZoneCounts: Codable {
    private enum Keys: String, CodingKey {
        case name, now, entered
        case dwell = "dwell_s"
    }

    /// Write `name`, `now`, `entered` and `dwell_s`.
    public func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        try out.encode(name, forKey: .name)
        try out.encode(now, forKey: .now)
        try out.encode(entered, forKey: .entered)
        let dwell = ["mean": rounded(meanDwellSeconds), "max": rounded(maxDwellSeconds)]
        try out.encode(dwell, forKey: .dwell)
    }

    /// Read what `encode` wrote; `left` is not in the document.
    public init(from decoder: any Decoder) throws {
        let input = try decoder.container(keyedBy: Keys.self)
        let dwell = try input.decode([String: Double].self, forKey: .dwell)
        name = try input.decode(String.self, forKey: .name)
        now = try input.decode([String: Int].self, forKey: .now)
        entered = try input.decode([String: Int].self, forKey: .entered)
        left = [:]
        meanDwellSeconds = dwell["mean"] ?? 0
        maxDwellSeconds = dwell["max"] ?? 0
    }
}

extension Speed: Codable {
    private enum Keys: String, CodingKey {
        case fps
        case inference = "inference_ms"
        case host = "host_ms"
    }

    /// Write `fps`, `inference_ms` and `host_ms`.
    public func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        try out.encode(rounded(fps), forKey: .fps)
        try out.encode(rounded(inferenceMs), forKey: .inference)
        try out.encode(rounded(hostMs), forKey: .host)
    }

    /// Read what `encode` wrote.
    public init(from decoder: any Decoder) throws {
        let input = try decoder.container(keyedBy: Keys.self)
        fps = try input.decode(Double.self, forKey: .fps)
        inferenceMs = try input.decode(Double.self, forKey: .inference)
        hostMs = try input.decode(Double.self, forKey: .host)
    }
}

extension Uncounted: Codable {
    fileprivate enum Keys: String, CodingKey {
        case weakDetections = "weak_detections"
        case shortTracks = "short_tracks"
        case longestShortTrack = "longest_short_track_s"
        case otherClasses = "other_classes"
        case ignoredDetections = "ignored_detections"
    }

    /// Write all fields but `ignoredDetections`, which are of a filter.
    public func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        try encode(&out)
    }

    fileprivate func encode(_ out: inout KeyedEncodingContainer<Keys>) throws {
        try out.encode(weakDetections, forKey: .weakDetections)
        try out.encode(shortTracks, forKey: .shortTracks)
        try out.encode(rounded(longestShortTrackSeconds), forKey: .longestShortTrack)
        try out.encode(otherClasses, forKey: .otherClasses)
    }

    /// Read what `encode` wrote.
    public init(from decoder: any Decoder) throws {
        let input = try decoder.container(keyedBy: Keys.self)
        weakDetections = try input.decode(Int.self, forKey: .weakDetections)
        shortTracks = try input.decode(Int.self, forKey: .shortTracks)
        longestShortTrackSeconds = try input.decode(Double.self, forKey: .longestShortTrack)
        otherClasses = try input.decode([String: Int].self, forKey: .otherClasses)
        ignoredDetections = try input.decodeIfPresent(Int.self, forKey: .ignoredDetections) ?? 0
    }
}

extension IgnoredZone: Encodable {
    private enum Keys: String, CodingKey { case name, points }

    /// Write `name` and `points`.
    public func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        try out.encode(name, forKey: .name)
        try out.encode(points.map { $0.map { rounded($0, 2) } }, forKey: .points)
    }
}

extension PlacedFilter: Codable {
    private enum Keys: String, CodingKey {
        case zones = "ignore"
        case minSize = "min_size"
        case maxSize = "max_size"
    }

    /// Write what there is of `ignore`, `min_size` and `max_size`.
    public func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        if !zones.isEmpty { try out.encode(zones, forKey: .zones) }
        try out.encodeIfPresent(minSize.map { rounded($0, 2) }, forKey: .minSize)
        try out.encodeIfPresent(maxSize.map { rounded($0, 2) }, forKey: .maxSize)
    }

    /// Read what `encode` wrote.
    public init(from decoder: any Decoder) throws {
        let input = try decoder.container(keyedBy: Keys.self)
        zones = try input.decodeIfPresent([IgnoredZone].self, forKey: .zones) ?? []
        minSize = try input.decodeIfPresent(Double.self, forKey: .minSize)
        maxSize = try input.decodeIfPresent(Double.self, forKey: .maxSize)
    }
}
