import Foundation

/// A point in pixels or in fractions of the frame.
struct Point: Sendable, Hashable {
    var x: Double
    var y: Double
}

/// Throws for a coordinate that no frame has.
func checkCoordinates(_ points: [Point]) throws(TallyLensError) {
    for value in points.flatMap({ [$0.x, $0.y] }) where !(abs(value) <= 1e6) {
        throw .usage(
            "invalid coordinate \(formatG(value))",
            "Use fractions from 0 to 1, or pixels of the frame")
    }
}

/// Throws for points that mix fractions of the frame with pixels.
func checkUnits(_ points: [Point]) throws(TallyLensError) {
    let values = points.flatMap { [$0.x, $0.y] }
    guard let pixels = values.first(where: { $0 > 1 }) else { return }
    guard let fraction = values.first(where: { $0 > 0 && $0 < 1 }) ?? wholeFrame(points) else {
        return
    }
    throw .usage(
        "the coordinates \(formatG(fraction)) and \(formatG(pixels)) mix fractions with pixels",
        "Use fractions from 0 to 1 for all points of a region, or pixels for all")
}

/// From 0 to 1 is the whole frame as fractions, and one pixel otherwise: the 1 of such a span.
private func wholeFrame(_ points: [Point]) -> Double? {
    for along in [points.map(\.y), points.map(\.x)]
    where Set(along).count > 1 && along.allSatisfy((0...1).contains) {
        return along.max()
    }
    return nil
}

/// Whether all corners lie on one straight line.
func isCollinear(_ points: [Point]) -> Bool {
    let offsets = points.dropFirst().map { Point(x: $0.x - points[0].x, y: $0.y - points[0].y) }
    let reference = offsets.first { $0.x != 0 || $0.y != 0 } ?? Point(x: 0, y: 0)
    return offsets.allSatisfy { $0.x * reference.y == $0.y * reference.x }
}

/// Whether two sides of a polygon cross; sides that only touch do not.
func sidesCross(_ corners: [Point]) -> Bool {
    let sides = corners.indices.map { (corners[$0], corners[($0 + 1) % corners.count]) }
    for (i, (a, b)) in sides.enumerated() {
        for (c, d) in sides[(i + 1)...]
        where side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0 {
            return true
        }
    }
    return false
}

private func side(_ start: Point, _ end: Point, _ point: Point) -> Double {
    let area =
        (end.x - start.x) * (point.y - start.y) - (end.y - start.y) * (point.x - start.x)
    return area == 0 ? 0 : area > 0 ? 1 : -1
}

/// A line or zone in frames of one size; `index` is its number among those of its kind.
struct PlacedRegion: Sendable {
    var index: Int
    var name: String
    var points: [Point]
    var line: Line?
    var zone: Zone?

    var kind: String { line != nil ? "line" : "zone" }
}

/// The regions in frames of `width` x `height`, lines first.
func placeRegions(
    _ lines: [Line], _ zones: [Zone], width: Int, height: Int
) throws(TallyLensError) -> [PlacedRegion] {
    var placed: [PlacedRegion] = []
    for (i, line) in lines.enumerated() {
        let name = line.name.isEmpty ? "line \(i + 1)" : line.name
        let points = inPixels(line.points, width, height)
        // A line that is extended may be crossed far from its ends.
        if !line.extend { try checkInFrame(name, points, width, height) }
        placed.append(PlacedRegion(index: i, name: name, points: points, line: line))
    }
    for (i, zone) in zones.enumerated() {
        let name = zone.name.isEmpty ? "zone \(i + 1)" : zone.name
        let points = inPixels(zone.points, width, height)
        try checkInFrame(name, points, width, height)
        placed.append(PlacedRegion(index: i, name: name, points: points, zone: zone))
    }
    return placed
}

func inPixels(_ points: [Point], _ width: Int, _ height: Int) -> [Point] {
    if points.contains(where: { $0.x > 1 || $0.y > 1 }) { return points }
    return points.map { Point(x: $0.x * Double(width), y: $0.y * Double(height)) }
}

func checkInFrame(
    _ name: String, _ points: [Point], _ width: Int, _ height: Int
) throws(TallyLensError) {
    for (values, size) in [(points.map(\.x), width), (points.map(\.y), height)]
    where values.allSatisfy({ $0 < 0 }) || values.allSatisfy({ $0 > Double(size) }) {
        throw .usage(
            "\(name) is outside the frame, which has \(width)x\(height) pixels",
            "Use x,y from the upper left corner: fractions from 0 to 1, or pixels")
    }
}
