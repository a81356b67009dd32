/// How a counter receives its frames.
public enum RunningMode: String, Sendable, Codable {
    /// Single images: `detect`.
    case image
    /// Every frame of a video, one after the other: `count`.
    case video
    /// A camera: `submit`, which drops frames that come too fast, and counts the drops.
    case liveStream
}

/// The point of a box that crosses lines and enters zones.
public enum Anchor: Int32, Sendable, Codable {
    /// Middle of the lower side.
    case bottomCenter = 0
    /// Middle of the box.
    case center = 1
    /// Middle of the upper side.
    case topCenter = 2
}

/// The device's temperature as `ProcessInfo.thermalState` gives it.
public enum ThermalState: Int32, Sendable, Codable {
    /// No limit.
    case nominal = 0
    /// Slightly warm.
    case fair = 1
    /// Hot: fewer frames.
    case serious = 3
    /// Too hot: no frame.
    case critical = 4
}

/// What is counted, and how; everything is optional.
public struct CounterOptions: Sendable {
    /// Lines to count crossings at.
    public var lines: [Line] = []
    /// Zones to count visits in.
    public var zones: [Zone] = []
    /// Zones to ignore: a detection whose anchor is inside of one is neither tracked nor counted.
    public var ignore: [Zone] = []
    /// Smaller detections are ignored: `sqrt(width * height)` as a fraction of the frame's shorter side
    /// if at most 1, else in pixels; nil for none.
    public var minSize: Double?
    /// Larger detections are ignored, see `minSize`.
    public var maxSize: Double?
    /// Names of the classes to count; nil for all.
    public var classes: Set<String>?
    /// Every detection counts as one class, `object`.
    public var anyClass = false
    /// How frames come.
    public var runningMode: RunningMode = .video
    /// At most so many frames per second of capture time are processed; nil for all.
    public var maxFPS: Double?
    /// Maximum latency of a frame; above it fewer frames are processed. nil for any.
    public var budget: Duration?
    /// Minimum confidence of a new object, and of a counted object's mean; nil for the default.
    public var confidence: Float?
    /// Boxes of one class that overlap more than this are one object; nil for the default.
    public var iou: Float?
    /// The point of a box that is counted with; nil for the default.
    public var anchor: Anchor?
    /// How long an object that stood still is expected where it stood, in seconds; nil for the
    /// default.
    public var rememberSeconds: Float?
    /// A server with a bigger model, and when to ask it; nil to count on the device alone. For videos and
    /// live streams.
    public var offload: OffloadOptions?
    /// Name of the source in reports.
    public var source = "camera"
    /// Further thresholds; of tests and conformance vectors.
    var tracking = TrackingOptions()

    /// The defaults.
    public init() {}

    var filter: DetectionFilter {
        DetectionFilter(ignore: ignore, minSize: minSize, maxSize: maxSize)
    }

    /// All thresholds, with those of the options above.
    func thresholds() throws(TallyLensError) -> TrackingOptions {
        var all = tracking
        if let anchor { all.anchor = anchor.rawValue }
        if let rememberSeconds { all.rememberS = rememberSeconds }
        guard let confidence else { return all }
        let defaults = try TrackingOptions().complete()
        all.lowConfidence = min(defaults.lowConfidence!, confidence)
        all.highConfidence = min(defaults.highConfidence!, confidence)
        all.newConfidence = confidence
        all.confirmConfidence = confidence
        return all
    }

    func check() throws(TallyLensError) {
        for line in lines { try line.check() }
        for zone in zones { try zone.check() }
        try filter.check()
        if let maxFPS { try CounterOptions.checkPositive("maxFPS", maxFPS) }
        if let budget { try CounterOptions.checkPositive("budget", budget.milliseconds) }
        for (name, value) in [("confidence", confidence), ("iou", iou)] {
            if let value, !(value >= 0 && value <= 1) {
                throw .usage("\(name) is \(value)", "Use 0 to 1")
            }
        }
    }

    private static func checkPositive(_ name: String, _ value: Double) throws(TallyLensError) {
        if !(value > 0 && value < .infinity) {
            throw .usage("\(name) is \(value)", "Use a number above 0")
        }
    }
}

extension Duration {
    var milliseconds: Double {
        Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15
    }
}
