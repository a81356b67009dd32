import Foundation

/// The client's first message on a connection.
struct Hello: Sendable {
    /// `detect` or `count`.
    var mode = "detect"
    /// Those of an earlier welcome, to resume its session.
    var session = ""
    var resume = ""
    /// What mode `count` counts at.
    var regions: [CountRegion] = []
    /// Every detection counts as one class.
    var anyClass = false

    /// The same, for the session of a welcome.
    func resuming(_ welcome: Welcome) -> Hello {
        var other = self
        other.session = welcome.session
        other.resume = welcome.resume
        return other
    }

    /// The JSON text.
    func encoded() -> String {
        // It holds finite numbers and text only, which can always be encoded.
        String(decoding: (try? JSONEncoder().encode(self)) ?? Data(), as: UTF8.self)
    }
}

/// The messages of a client.
enum ClientMessage: Sendable {
    case hello(Hello)
    /// It has sent its last frame.
    case bye

    /// The JSON text of `bye`.
    static let byeText = #"{"type":"bye"}"#

    /// The message in a text; of servers, and the conformance vectors.
    init(_ text: String) throws(TallyLensError) {
        let of = try MessageFields(text, limit: Wire.maxClientText)
        switch try of.text("type", 40) {
        case "hello": self = .hello(try Hello(of))
        case "bye": self = .bye
        case let kind: throw .violation("unknown client message '\(kind)'")
        }
    }
}

/// A line or a zone in fractions of the frame.
enum CountRegion: Sendable {
    case line(Line)
    case zone(Zone)
}

extension Hello: Encodable {
    private enum Keys: String, CodingKey {
        case type, mode, session, resume, places
        case anyClass = "any_class"
    }

    func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        try out.encode("hello", forKey: .type)
        if mode != "detect" { try out.encode(mode, forKey: .mode) }
        if !session.isEmpty { try out.encode(session, forKey: .session) }
        if !resume.isEmpty { try out.encode(resume, forKey: .resume) }
        if !regions.isEmpty { try out.encode(regions, forKey: .places) }
        if anyClass { try out.encode(true, forKey: .anyClass) }
    }

    fileprivate init(_ of: MessageFields) throws(TallyLensError) {
        mode = try of.oneOf("mode", ["detect", "count"], "detect")
        session = try of.text("session", 64, "")
        resume = try of.text("resume", 128, "")
        for one in try of.items("places", Wire.maxRegions, of: MessageFields.self) {
            regions.append(try CountRegion(one))
        }
        anyClass = try of.flag("any_class", false)
    }
}

extension CountRegion: Encodable {
    private enum Keys: String, CodingKey {
        case kind, points, name, extend
        case inName = "in_name"
        case outName = "out_name"
        case minDwell = "min_dwell_s"
    }

    private static let minLength = 1e-5

    func encode(to encoder: any Encoder) throws {
        var out = encoder.container(keyedBy: Keys.self)
        switch self {
        case .line(let line):
            try out.encode("line", forKey: .kind)
            try out.encode(line.points.map { [$0.x, $0.y] }, forKey: .points)
            try out.encode(line.name, forKey: .name)
            if line.extend { try out.encode(true, forKey: .extend) }
            if line.inName != "in" || line.outName != "out" {
                try out.encode(line.inName, forKey: .inName)
                try out.encode(line.outName, forKey: .outName)
            }
        case .zone(let zone):
            try out.encode("zone", forKey: .kind)
            try out.encode(zone.points.map { [$0.x, $0.y] }, forKey: .points)
            try out.encode(zone.name, forKey: .name)
            if zone.minDwellSeconds != 0 {
                try out.encode(zone.minDwellSeconds, forKey: .minDwell)
            }
        }
    }

    fileprivate init(_ of: MessageFields) throws(TallyLensError) {
        let kind = try of.oneOf("kind", ["line", "zone"])
        let points = try of.items("points", Wire.maxCorners, of: [Double].self)
        if !points.allSatisfy({ $0.count == 2 && $0.allSatisfy((0...1).contains) }) {
            throw .violation("a point outside of 0 to 1: give fractions of width and height")
        }
        let name = try of.text("name", 200, "")
        if kind == "zone" ? points.count < 3 : points.count != 2 { throw of.invalid("points") }
        self =
            kind == "zone"
            ? .zone(try CountRegion.zone(of, points, name)) : .line(try CountRegion.line(of, points, name))
    }

    private static func zone(
        _ of: MessageFields, _ points: [[Double]], _ name: String
    ) throws(TallyLensError) -> Zone {
        let zone = Zone(
            points.flatMap { $0 }, name: name, minDwellSeconds: try of.number("min_dwell_s", 0))
        try checked { () throws(TallyLensError) in try zone.check() }
        return zone
    }

    private static func line(
        _ of: MessageFields, _ points: [[Double]], _ name: String
    ) throws(TallyLensError) -> Line {
        let line = Line(
            points[0][0], points[0][1], points[1][0], points[1][1], name: name,
            extend: try of.flag("extend", false), inName: try of.text("in_name", 200, "in"),
            outName: try of.text("out_name", 200, "out"))
        try checked { () throws(TallyLensError) in try line.check() }
        if max(abs(line.x2 - line.x1), abs(line.y2 - line.y1)) < minLength {
            throw of.invalid("points")
        }
        return line
    }

    private static func checked(
        _ check: () throws(TallyLensError) -> Void
    ) throws(TallyLensError) {
        do {
            try check()
        } catch {
            throw .violation("region: \(error.problem)")
        }
    }
}
