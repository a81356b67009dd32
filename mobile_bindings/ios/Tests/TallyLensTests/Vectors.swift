import Foundation
import XCTest

@testable import TallyLens

typealias JSON = [String: Any]

/// The files of `mobile_bindings/conformance`, and the built-in model.
enum Vectors {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../..").standardizedFileURL

    static func document(_ name: String) throws -> Any {
        let file = repository.appendingPathComponent("mobile_bindings/conformance/\(name)")
        return try value(try Data(contentsOf: file))
    }

    static func value(_ document: Data) throws -> Any {
        try JSONDecoder().decode(AnyValue.self, from: document).value
    }

    /// A document with its numbers to the last bit: on Linux, `JSONSerialization` rounds them twice.
    private struct AnyValue: Decodable {
        let value: Any

        init(from decoder: any Decoder) throws {
            let here = try decoder.singleValueContainer()
            if here.decodeNil() {
                value = NSNull()
            } else if let list = try? here.decode([AnyValue].self) {
                value = list.map(\.value)
            } else if let object = try? here.decode([String: AnyValue].self) {
                value = object.mapValues(\.value)
            } else if let text = try? here.decode(String.self) {
                value = text
            } else if let flag = try? here.decode(Bool.self) {
                value = flag
            } else if let whole = try? here.decode(Int64.self) {
                value = NSNumber(value: whole)
            } else {
                value = NSNumber(value: try here.decode(Double.self))
            }
        }
    }

    static func cases(_ name: String) throws -> [JSON] {
        try XCTUnwrap((try document(name) as? JSON)?["cases"] as? [JSON])
    }

    static func options(_ one: JSON) throws -> CounterOptions {
        var options = CounterOptions()
        for line in one["lines"] as? [JSON] ?? [] {
            let (a, b) = (numbers(line["a"]), numbers(line["b"]))
            let extend = line["extend"] as? Bool ?? false
            options.lines.append(Line(a[0], a[1], b[0], b[1], extend: extend))
        }
        for zone in one["zones"] as? [JSON] ?? [] {
            let corners = try XCTUnwrap(zone["corners"] as? [Any]).flatMap { numbers($0) }
            let dwell = (zone["least_dwell_s"] as? NSNumber)?.doubleValue ?? 0
            options.zones.append(Zone(corners, minDwellSeconds: dwell))
        }
        options.ignore = (one["ignore"] as? [[Any]] ?? []).map { Zone($0.flatMap { numbers($0) }) }
        try set(&options, one["options"] as? JSON ?? [:])
        return options
    }

    private static func set(_ options: inout CounterOptions, _ given: JSON) throws {
        for (name, value) in given {
            let number = (value as? NSNumber)?.floatValue
            switch name {
            case "any_class": options.anyClass = value as? Bool ?? (number != 0)
            case "num_classes": break
            case "anchor":
                let names = ["bottom-center", "center", "top-center"]
                options.tracking.anchor =
                    Int32(try XCTUnwrap((value as? String).flatMap(names.firstIndex) ?? number.map { Int($0) }))
            case "low_confidence": options.tracking.lowConfidence = number
            case "high_confidence": options.tracking.highConfidence = number
            case "new_confidence": options.tracking.newConfidence = number
            case "confirm_s": options.tracking.confirmS = number
            case "confirm_confidence": options.tracking.confirmConfidence = number
            case "lost_s": options.tracking.lostS = number
            case "edge_lost_s": options.tracking.edgeLostS = number
            case "hysteresis": options.tracking.hysteresis = number
            case "remember_s": options.tracking.rememberS = number
            case "min_size": options.minSize = number.map { Double($0) }
            case "max_size": options.maxSize = number.map { Double($0) }
            default: XCTFail("an option that is not known: \(name)")
            }
        }
    }

    static func detections(_ rows: Any?) -> [Detection] {
        (rows as? [Any] ?? []).map { row in
            let f = numbers(row).map { Float($0) }
            return Detection(
                x1: f[0], y1: f[1], x2: f[2], y2: f[3], confidence: f[4], classID: Int(f[5]))
        }
    }

    /// Bits of the half-precision number next to a number.
    static func half(_ value: Float) -> UInt16 { Float16(value).bitPattern }

    static func numbers(_ values: Any?) -> [Double] {
        (values as? [Any] ?? []).map { ($0 as? NSNumber)?.doubleValue ?? .infinity }
    }
}
