/// A counting line from (x1, y1) to (x2, y2): pixels or, when all are at most 1, fractions.
///
/// `in` is the direction from left to right when facing from start to end, y down: a line drawn from
/// left to right counts downward movement as `in`. `Counter.init` checks it.
public struct Line: Sendable, Hashable, Codable {
    /// Start.
    public var x1: Double
    /// Start.
    public var y1: Double
    /// End.
    public var x2: Double
    /// End.
    public var y2: Double
    /// Name in reports; empty for `line 1`, `line 2`, ...
    public var name: String
    /// Also count crossings beyond the ends.
    public var extend: Bool
    /// Name of the direction `in`.
    public var inName: String
    /// Name of the direction `out`.
    public var outName: String

    /// A line between two points.
    public init(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, name: String = "",
        extend: Bool = false, inName: String = "in", outName: String = "out"
    ) {
        self.x1 = x1
        self.y1 = y1
        self.x2 = x2
        self.y2 = y2
        self.name = name
        self.extend = extend
        self.inName = inName
        self.outName = outName
    }

    var points: [Point] { [Point(x: x1, y: y1), Point(x: x2, y: y2)] }

    func check() throws(TallyLensError) {
        try checkCoordinates(points)
        try checkUnits(points)
        if x1 == x2 && y1 == y2 {
            throw .usage(
                "the line from \(formatG(x1)),\(formatG(y1)) to itself has no length",
                "Use two different ends")
        }
        if inName.isEmpty || outName.isEmpty || inName == outName {
            throw .usage(
                "the directions of a line are named '\(inName)' and '\(outName)'",
                "Use two different names")
        }
    }
}

/// A polygon of at least three corners: pixels or, when all are at most 1, fractions.
/// `Counter.init` checks it.
public struct Zone: Sendable, Hashable, Codable {
    /// x, y, x, y, ...
    public var corners: [Double]
    /// Name in reports; empty for `zone 1`, `zone 2`, ...
    public var name: String
    /// Shorter visits are not counted as entered.
    public var minDwellSeconds: Double

    /// A zone with these corners: x, y, x, y, ...
    public init(_ corners: [Double], name: String = "", minDwellSeconds: Double = 0) {
        self.corners = corners
        self.name = name
        self.minDwellSeconds = minDwellSeconds
    }

    private static let maxCorners = 1000
    private static let maxDwell = 1e6

    var points: [Point] {
        (0..<corners.count / 2).map { Point(x: corners[2 * $0], y: corners[2 * $0 + 1]) }
    }

    func check() throws(TallyLensError) {
        if corners.count % 2 != 0 || !(3...Zone.maxCorners).contains(corners.count / 2) {
            throw .usage(
                "a zone has \(corners.count) coordinates",
                "Use x,y of 3 to \(Zone.maxCorners) corners")
        }
        if !(minDwellSeconds >= 0 && minDwellSeconds <= Zone.maxDwell) {
            throw .usage(
                "the minimum dwell time of a zone is \(formatG(minDwellSeconds)) s", "Use seconds")
        }
        try checkCoordinates(points)
        try checkUnits(points)
        if isCollinear(points) {
            throw .usage("the corners of a zone are collinear", "Use corners around an area")
        }
        if sidesCross(points) {
            throw .usage(
                "the sides of a zone cross", "Give its corners in their order around the area")
        }
    }
}
