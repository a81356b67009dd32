import Foundation

/// Crossings of one line by class name.
public struct LineCounts: Sendable, Hashable {
    /// The line's name.
    public var name: String
    /// Objects that crossed from left to right.
    public var crossedIn: [String: Int]
    /// Objects that crossed from right to left.
    public var crossedOut: [String: Int]
    /// Name of the direction `in`.
    public var inName: String
    /// Name of the direction `out`.
    public var outName: String
}

/// Objects in one zone by class name, and their dwell times in seconds.
public struct ZoneCounts: Sendable, Hashable {
    /// The zone's name.
    public var name: String
    /// Objects that are in it.
    public var now: [String: Int]
    /// Objects that entered it.
    public var entered: [String: Int]
    /// Objects that left it.
    public var left: [String: Int]
    /// Mean duration of a visit.
    public var meanDwellSeconds: Double
    /// Longest visit.
    public var maxDwellSeconds: Double
}

/// Detections and tracks that were never counted.
public struct Uncounted: Sendable, Hashable {
    /// Detections below the lowest confidence.
    public var weakDetections = 0
    /// Tracks that ended before they counted as objects.
    public var shortTracks = 0
    /// The longest of these.
    public var longestShortTrackSeconds = 0.0
    /// Detections of classes that were not asked for.
    public var otherClasses: [String: Int] = [:]
    /// Detections in ignored zones, too small or too large.
    public var ignoredDetections = 0
}

/// Throughput: frames per second, and milliseconds per frame.
public struct Speed: Sendable, Hashable {
    /// Frames per second of wall time.
    public var fps = 0.0
    /// Inference.
    public var inferenceMs = 0.0
    /// All else.
    public var hostMs = 0.0
}

/// Objects in view in one span of time: their maximum of each class at once.
public struct Occupancy: Sendable, Hashable {
    /// Start of the span, from the first frame.
    public var seconds: Double
    /// By class name.
    public var counts: [String: Int]
}

/// The totals so far; its JSON has the keys of `tallylens count --json`.
public struct CountReport: Sendable, Hashable {
    /// Name of the source.
    public var source: String
    /// Name of the model.
    public var model: String
    /// What ran the model.
    public var engine: String
    /// Frames that were counted.
    public var frames = 0
    /// Capture time from the first frame to the last.
    public var seconds = 0.0
    /// Different objects by class.
    public var unique: [String: Int] = [:]
    /// Crossings of each line.
    public var lines: [LineCounts] = []
    /// Visits of each zone.
    public var zones: [ZoneCounts] = []
    /// Objects in view over time.
    public var occupancy: [Occupancy] = []
    /// Notes for the user, such as why a total is zero.
    public var warnings: [String] = []
    /// Throughput.
    public var speed = Speed()
    /// Always false: there is no signal to interrupt a count in an app.
    public var interrupted = false
    /// When the count began, in ISO 8601, if the app set it.
    public var started: String?
    /// Live frames that arrived while an earlier one was processed, or late, or that failed.
    public var dropped = 0
    /// Frames that rate control left out.
    public var skipped = 0
    /// What was never counted.
    public var uncounted = Uncounted()
    /// Zones to ignore, and minimum and maximum size of detections, in pixels.
    public var filters = PlacedFilter()
    /// Minimum and maximum of `unique`, of the classes where objects that appeared could be those that
    /// were lost nearby shortly before.
    public var uniqueRange: [String: ClosedRange<Int>] = [:]
    /// What was asked of the server, nil without one.
    public var offload: OffloadReport?

    init(source: String, model: String, engine: String) {
        self.source = source
        self.model = model
        self.engine = engine
    }

    /// The document that `tallylens count --json` prints, in UTF-8.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
