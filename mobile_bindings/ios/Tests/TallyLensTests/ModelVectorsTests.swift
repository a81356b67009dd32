import CTally
import Foundation
import XCTest

@testable import TallyLens

/// `decode.json` and `metadata.json`: what a model file says, and what its heads mean.
final class ModelVectorsTests: XCTestCase {
    func testDecode() throws {
        let document = try XCTUnwrap(try Vectors.document("decode.json") as? JSON)
        let options = try XCTUnwrap(document["options"] as? [String: NSNumber])
        let letterbox = try letterbox(document["letterbox"])
        let cases = try Vectors.cases("decode.json")
        XCTAssertGreaterThan(cases.count, 0)
        for (number, one) in cases.enumerated() {
            let fields = try XCTUnwrap(one["head"] as? JSON)
            let decoder = try HeadDecoder(metadata(fields, options["num_classes"]!.intValue)) {
                $0.confidence = options["confidence"]!.floatValue
                $0.iou = options["iou"]!.floatValue
                $0.cross_class_iou = options["cross_class_iou"]!.floatValue
            }
            let type = ["uint8": DataType.uint8, "int8": .int8, "float32": .float32, "float16": .float16][
                fields["dtype"] as! String]!
            let values = Vectors.numbers(one["values"])
            let found = try bytes(values, type).withUnsafeBytes { bytes in
                let head = Head(
                    index: 0, type: type, layout: fields["layout"] as! String == "NCHW" ? .nchw : .nhwc,
                    bytes: bytes, scale: (fields["scale"] as? NSNumber)?.floatValue ?? 1,
                    zeroPoint: (fields["zero_point"] as? NSNumber)?.intValue ?? 0)
                return try decoder.run([head], letterbox).map { Detection($0) }
            }
            check(found, Vectors.detections(one["detections"]), "case \(number)")
        }
        print("vectors decode.json: \(cases.count) cases")
    }

    private func check(_ found: [Detection], _ wanted: [Detection], _ name: String) {
        XCTAssertGreaterThan(wanted.count, 3)
        XCTAssertEqual(found.map(\.classID), wanted.map(\.classID), name)
        for (a, b) in zip(found, wanted) {
            let sides = [a.x1 - b.x1, a.y1 - b.y1, a.x2 - b.x2, a.y2 - b.y2]
            XCTAssertTrue(sides.allSatisfy { abs($0) < 0.01 }, "\(name): \(a), not \(b)")
            XCTAssertEqual(a.confidence, b.confidence, accuracy: 1e-4, name)
        }
    }

    private func letterbox(_ given: Any?) throws -> tally_letterbox {
        let map = try XCTUnwrap(given as? [String: NSNumber])
        return tally_letterbox(
            gain_x: map["gain_x"]!.floatValue, gain_y: map["gain_y"]!.floatValue,
            pad_x: map["pad_x"]!.int32Value, pad_y: map["pad_y"]!.int32Value,
            source_width: map["source_width"]!.int32Value,
            source_height: map["source_height"]!.int32Value)
    }

    private func metadata(_ head: JSON, _ classes: Int) throws -> ModelMetadata {
        func whole(_ key: String) -> Int { (head[key] as? NSNumber)?.intValue ?? 0 }
        let (stride, bins) = (whole("stride"), whole("reg_max"))
        var fields: JSON = [
            "format_version": bins > 0 ? 2 : 1, "class_names": (0..<classes).map { "class \($0)" },
            "input_size": [whole("height") * stride, whole("width") * stride], "strides": [stride],
            "anchors": [bins > 0 ? [] : (head["anchors"] as! [Any]).map { Vectors.numbers($0) }],
            "head_names": ["head"], "layout": head["layout"]!, "colour_order": "RGB",
            "quantization": "none", "source_name": "", "source_sha256": "", "weights_licence": "",
            "passes": [Any](),
        ]
        if bins > 0 { fields["reg_max"] = bins }
        return try ModelMetadata(document: try JSONSerialization.data(withJSONObject: fields))
    }

    private func bytes(_ values: [Double], _ type: DataType) -> [UInt8] {
        func raw<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
        switch type {
        case .uint8: return values.map { UInt8($0) }
        case .int8: return values.map { UInt8(bitPattern: Int8($0)) }
        case .float32: return values.flatMap { raw(Float($0)) }
        case .float16: return values.flatMap { raw(Vectors.half(Float($0))) }
        }
    }

    func testMetadata() throws {
        let cases = try Vectors.cases("metadata.json")
        XCTAssertGreaterThan(cases.count, 0)
        for one in cases {
            let name = one["name"] as? String ?? ""
            let document = Data((one["document"] as! String).utf8)
            guard let expected = one["expected"] as? JSON else {
                XCTAssertThrowsError(try ModelMetadata(document: document), name) { error in
                    XCTAssertEqual((error as? TallyLensError)?.kind, .model, name)
                }
                continue
            }
            let found = fields(try ModelMetadata(document: document))
            let told = expected.filter { !["format_version", "colour_order"].contains($0.key) }
            XCTAssertTrue(told.keys.allSatisfy { found[$0] != nil }, "\(name): \(told.keys)")
            for (key, value) in told {
                XCTAssertTrue((found[key] as! NSObject).isEqual(value), "\(name): \(key) is \(found[key]!)")
            }
        }
        print("vectors metadata.json: \(cases.count) cases")
    }

    /// The metadata as Foundation's objects, by the keys of the document.
    private func fields(_ one: ModelMetadata) -> [String: Any] {
        let passes: [JSON] = one.passes.map { pass in
            let effect = pass.effect.mapValues { figure -> Any in
                switch figure {
                case .number(let value): NSNumber(value: value)
                case .text(let text): NSString(string: text)
                }
            }
            return ["name": NSString(string: pass.name), "effect": NSDictionary(dictionary: effect)]
        }
        let anchors = one.anchors.map { head in
            stride(from: 0, to: head.count, by: 2).map { [Double(head[$0]), Double(head[$0 + 1])] }
        }
        return [
            "class_names": one.classNames as NSArray, "strides": one.strides as NSArray,
            "input_size": [one.inputHeight, one.inputWidth] as NSArray, "anchors": anchors as NSArray,
            "head_names": one.headNames as NSArray, "layout": one.layout as NSString,
            "quantization": one.quantization as NSString, "source_name": one.sourceName as NSString,
            "source_sha256": one.sourceSHA256 as NSString,
            "weights_licence": one.weightsLicense as NSString, "passes": passes as NSArray,
            "reg_max": one.regMax as NSNumber,
        ]
    }
}
