/// A capture time in nanoseconds from any origin.
public struct Timestamp: Sendable, Hashable, Comparable, Codable {
    /// Nanoseconds from the origin.
    public var nanoseconds: Int64

    /// A capture time of so many nanoseconds.
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// A capture time of so many seconds, rounded to the nanosecond. One that is no number, or further
    /// than 292 years from the origin, becomes the first time of all, which no counter takes.
    public init(seconds: Double) {
        nanoseconds = Int64(exactly: (seconds * 1e9).rounded(.toNearestOrEven)) ?? .min
    }

    /// Whether one time is before another.
    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.nanoseconds < b.nanoseconds }
}

/// An object that was detected in one frame. Coordinates are pixels of the frame after rotation and
/// crop, origin top left, y down.
public struct Detection: Sendable, Hashable, Codable {
    /// Left side.
    public var x1: Float
    /// Upper side.
    public var y1: Float
    /// Right side.
    public var x2: Float
    /// Lower side.
    public var y2: Float
    /// 0 to 1.
    public var confidence: Float
    /// Index of the model's class.
    public var classID: Int

    /// A box in pixels, with its confidence and class.
    public init(
        x1: Float, y1: Float, x2: Float, y2: Float, confidence: Float, classID: Int
    ) {
        self.x1 = x1
        self.y1 = y1
        self.x2 = x2
        self.y2 = y2
        self.confidence = confidence
        self.classID = classID
    }
}

/// A confirmed track in one frame; its class is a vote over the track.
public struct Track: Sendable, Hashable, Codable {
    /// Number of the object, from 1.
    public var trackID: Int64
    /// Left side in pixels.
    public var x1: Float
    /// Upper side in pixels.
    public var y1: Float
    /// Right side in pixels.
    public var x2: Float
    /// Lower side in pixels.
    public var y2: Float
    /// Of the detection in this frame, 0 to 1.
    public var confidence: Float
    /// Index of the class.
    public var classID: Int
    /// Name of the class.
    public var className: String
}

/// What an event is about.
public enum EventKind: String, Sendable, CaseIterable, Codable {
    /// An object was counted as a unique one.
    case confirmed
    /// An object crossed a line from left to right.
    case crossedIn = "crossed_in"
    /// An object crossed a line from right to left.
    case crossedOut = "crossed_out"
    /// An object entered a zone.
    case entered
    /// An object left a zone.
    case left
    /// The vote on an object's class changed: what was counted moved from `previousClassID`.
    case reclassified
}

/// Something that happened.
public struct CountEvent: Sendable, Hashable, Codable {
    /// What it is about.
    public var kind: EventKind
    /// When it happened, which may be before the frame that reports it.
    public var timestamp: Timestamp
    /// Number of the object.
    public var trackID: Int64
    /// Index of the class.
    public var classID: Int
    /// -1 unless reclassified.
    public var previousClassID: Int
    /// Index of the line or zone, -1 without one.
    public var place: Int
    /// Where, in pixels.
    public var x: Float
    /// Where, in pixels.
    public var y: Float
    /// 0 to 1.
    public var confidence: Float
    /// Age of the object in seconds.
    public var ageSeconds: Float
    /// Of `left`: duration of the visit.
    public var dwellSeconds: Float
    /// Name of the class.
    public var className: String
    /// Name of the line or zone, empty without one.
    public var region: String
}

/// Frames that were offered and not counted.
public struct Drops: Sendable, Hashable, Codable {
    /// Replaced by a newer one while an earlier one was processed.
    public var busy = 0
    /// Not later than the frame before.
    public var late = 0
    /// Left out to keep the rate, the budget or the temperature.
    public var governor = 0
    /// Could not be counted; `Counter.lastError` says why.
    public var failed = 0

    /// No drops.
    public init() {}

    /// So many of each.
    public init(busy: Int = 0, late: Int = 0, governor: Int = 0, failed: Int = 0) {
        self.busy = busy
        self.late = late
        self.governor = governor
        self.failed = failed
    }

    /// All of them.
    public var total: Int { busy + late + governor + failed }

    /// The sum, by reason.
    public static func + (a: Drops, b: Drops) -> Drops {
        Drops(
            busy: a.busy + b.busy, late: a.late + b.late, governor: a.governor + b.governor,
            failed: a.failed + b.failed)
    }

    static func - (a: Drops, b: Drops) -> Drops {
        Drops(
            busy: a.busy - b.busy, late: a.late - b.late, governor: a.governor - b.governor,
            failed: a.failed - b.failed)
    }
}

/// The governor's level: one frame in `rate` is processed, at input size number `size` (0 the
/// largest).
public struct Level: Sendable, Hashable, Codable {
    /// One frame in so many is processed.
    public var rate = 1
    /// Number of the input size.
    public var size = 0
    /// Too hot: no frame is processed.
    public var paused = false
    /// Why it changed last, in words; empty before the first change.
    public var reason = ""

    /// Every frame, at full size.
    public init() {}

    init(rate: Int, size: Int, paused: Bool, reason: String) {
        (self.rate, self.size, self.paused, self.reason) = (rate, size, paused, reason)
    }
}

/// What one frame gave.
public struct CountUpdate: Sendable, Hashable {
    /// Capture time of the frame.
    public var timestamp: Timestamp
    /// Of the classes that are counted.
    public var detections: [Detection]
    /// Confirmed tracks in this frame.
    public var tracks: [Track]
    /// What happened since the update before.
    public var events: [CountEvent]
    /// Frames that were lost since the update before.
    public var dropped: Drops
    /// The governor's level.
    public var level: Level
    /// From the call with the frame to this update.
    public var latency: Duration
}
