/// Which detections are neither tracked nor counted: in ignored zones, too small or too large.
struct DetectionFilter: Sendable {
    var ignore: [Zone] = []
    /// Fractions of the frame's shorter side if at most 1, else pixels; nil for no bound.
    var minSize: Double?
    var maxSize: Double?

    private static let maxPixels = 1e6

    func check() throws(TallyLensError) {
        for zone in ignore {
            try zone.check()
            if zone.minDwellSeconds != 0 {
                throw .usage("an ignored zone has no dwell time", "Leave out minDwellSeconds there")
            }
        }
        for (name, size) in [("minimum", minSize), ("maximum", maxSize)] {
            if let size, !(size > 0 && size <= DetectionFilter.maxPixels) {
                throw .usage(
                    "the \(name) size is \(formatG(size))",
                    "Use a fraction of the frame's shorter side, or pixels")
            }
        }
    }

    /// The filter in pixels of frames of one size.
    func placed(width: Int, height: Int) throws(TallyLensError) -> PlacedFilter {
        var zones: [IgnoredZone] = []
        for (i, zone) in ignore.enumerated() {
            let name = zone.name.isEmpty ? "ignored zone \(i + 1)" : zone.name
            let points = inPixels(zone.points, width, height)
            try checkInFrame(name, points, width, height)
            zones.append(IgnoredZone(name: name, points: points.map { [$0.x, $0.y] }))
        }
        let side = Double(min(width, height))
        let (smallest, largest) = (pixels(minSize, side), pixels(maxSize, side))
        if let smallest, let largest, smallest > largest {
            throw .usage(
                "the minimum size, \(formatG(smallest)) pixels, is above the maximum, "
                    + "\(formatG(largest))", "Swap them")
        }
        return PlacedFilter(zones: zones, minSize: smallest, maxSize: largest)
    }

    private func pixels(_ size: Double?, _ side: Double) -> Double? {
        size.map { $0 <= 1 ? $0 * side : $0 }
    }
}

/// A zone to ignore, in pixels of the frame.
public struct IgnoredZone: Sendable, Hashable, Decodable {
    /// The zone's name.
    public var name: String
    /// x and y of each corner.
    public var points: [[Double]]
}

/// What is neither tracked nor counted in frames of one size.
public struct PlacedFilter: Sendable, Hashable {
    /// Zones to ignore.
    public var zones: [IgnoredZone] = []
    /// Smaller detections are ignored, in pixels; nil for no bound.
    public var minSize: Double?
    /// Larger detections are ignored, in pixels; nil for no bound.
    public var maxSize: Double?

    /// Whether nothing is ignored.
    public var isEmpty: Bool { zones.isEmpty && minSize == nil && maxSize == nil }

    func applied(to options: TrackingOptions) -> TrackingOptions {
        var applied = options
        if let minSize { applied.minSize = Float(minSize) }
        if let maxSize { applied.maxSize = Float(maxSize) }
        return applied
    }
}
