import CTally
import Foundation
import XCTest

@testable import TallyLens

/// `preprocess.json`: frames of every format, turn and memory layout, and the inputs they become.
final class PreprocessVectorsTests: XCTestCase {
    private static let filler: UInt8 = 77

    func testAllCases() throws {
        let cases = try Vectors.cases("preprocess.json")
        XCTAssertGreaterThan(cases.count, 0)
        for one in cases { try check(one, one["name"] as? String ?? "") }
        print("vectors preprocess.json: \(cases.count) cases")
    }

    private func check(_ one: JSON, _ name: String) throws {
        let source = Source(try XCTUnwrap(one["image"] as? JSON), try buffers(one))
        let tensor = try XCTUnwrap(one["tensor"] as? JSON)
        let input = Input(tensor)
        let preprocessor = try Preprocessor()
        var memory = [UInt8](repeating: PreprocessVectorsTests.filler, count: input.bytes)
        let expected = (one["expected"] as? String).flatMap { Data(base64Encoded: $0) }
        do {
            let letterbox = try memory.withUnsafeMutableBytes {
                try preprocessor.run(source.image, into: $0, input.format)
            }
            let wanted = try XCTUnwrap(expected, "\(name) is not refused")
            try checkLetterbox(letterbox, try XCTUnwrap(one["letterbox"] as? JSON), name)
            let within = (one["within"] as! NSNumber).doubleValue
            input.check(memory, [UInt8](wanted), within, name)
        } catch let error as TallyLensError {
            XCTAssertNil(expected, "\(name): \(error)")
            XCTAssertEqual(error.kind, .usage, name)
        }
        try checkFrame(source, name)
    }

    private func buffers(_ one: JSON) throws -> [Data] {
        try XCTUnwrap(one["buffers"] as? [String]).map { try XCTUnwrap(Data(base64Encoded: $0)) }
    }

    private func checkLetterbox(_ found: tally_letterbox, _ wanted: JSON, _ name: String) throws {
        func number(_ key: String) -> Double { (wanted[key] as! NSNumber).doubleValue }
        XCTAssertEqual(Double(found.gain_x) / number("gain_x"), 1, accuracy: 1e-6, name)
        XCTAssertEqual(Double(found.gain_y) / number("gain_y"), 1, accuracy: 1e-6, name)
        let whole = [found.pad_x, found.pad_y, found.source_width, found.source_height]
        let keys = ["pad_x", "pad_y", "source_width", "source_height"]
        XCTAssertEqual(whole.map { Double($0) }, keys.map(number), name)
    }

    /// A `Frame` of the same picture says the same to the core, unless it refuses it at once.
    private func checkFrame(_ source: Source, _ name: String) throws {
        guard let frame = try? source.frame(), source.image.chroma_step == 0 else { return }
        let (a, b) = (frame.native, source.image)
        XCTAssertEqual([a.format, a.width, a.height, a.rotation], [b.format, b.width, b.height, b.rotation], name)
        XCTAssertEqual([a.yuv_range, a.yuv_matrix], [b.yuv_range, b.yuv_matrix], name)
        XCTAssertTrue(a.planes == b.planes && a.strides == b.strides, name)
        XCTAssertTrue(a.plane_bytes == b.plane_bytes, name)
    }

    /// The picture of a vector, in memory of its own.
    private final class Source {
        private(set) var image = tally_image()
        private let memory: [UnsafeMutableRawBufferPointer]
        private let planes: [Plane]

        init(_ fields: JSON, _ buffers: [Data]) {
            func whole(_ key: String) -> Int32 { (fields[key] as! NSNumber).int32Value }
            func index(_ key: String, _ names: [String]) -> Int32 {
                Int32(names.firstIndex(of: fields[key] as! String)!)
            }
            memory = buffers.map { data in
                let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 1)
                data.withUnsafeBytes { copy.copyMemory(from: $0) }
                return copy
            }
            let steps = (fields["strides"] as! [NSNumber]).map(\.intValue)
            planes = zip(fields["planes"] as! [[NSNumber]], steps).map { [memory] place, step in
                let whole = UnsafeRawBufferPointer(memory[place[0].intValue])
                return Plane(
                    bytes: UnsafeRawBufferPointer(rebasing: whole[place[1].intValue...]), stride: step)
            }
            image.struct_size = UInt32(MemoryLayout<tally_image>.size)
            image.format = index("format", ["BGR", "RGB", "BGRA", "RGBA", "NV12", "NV21", "I420"])
            (image.width, image.height, image.rotation) = (whole("width"), whole("height"), whole("rotation"))
            let step = whole("chroma_step")
            image.chroma_step = step == 1 ? 0 : step
            image.yuv_range = index("range", ["video", "full"])
            image.yuv_matrix = index("matrix", ["BT.601", "BT.709"])
            func bytes(_ i: Int) -> UnsafePointer<UInt8>? {
                i < planes.count ? planes[i].bytes.bindMemory(to: UInt8.self).baseAddress : nil
            }
            image.planes = (bytes(0), bytes(1), bytes(2))
            let strides = steps + [0, 0]
            image.strides = (Int32(strides[0]), Int32(strides[1]), Int32(strides[2]))
            let sizes = planes.map(\.bytes.count) + [0, 0]
            image.plane_bytes = (sizes[0], sizes[1], sizes[2])
        }

        deinit { for one in memory { one.deallocate() } }

        func frame() throws -> Frame? {
            guard let format = PixelFormat(rawValue: image.format) else { return nil }
            let (width, height) = (Int(image.width), Int(image.height))
            let range = YUVRange(rawValue: image.yuv_range)!
            let matrix = YUVMatrix(rawValue: image.yuv_matrix)!
            var made: Frame
            switch planes.count {
            case 1:
                made = try Frame(
                    format, width: width, height: height, planes: planes[0], range: range,
                    matrix: matrix, owner: self)
            case 2:
                made = try Frame(
                    format, width: width, height: height, planes: planes[0], planes[1],
                    range: range, matrix: matrix, owner: self)
            default:
                made = try Frame(
                    format, width: width, height: height, planes: planes[0], planes[1], planes[2],
                    range: range, matrix: matrix, owner: self)
            }
            made.rotation = Int(image.rotation)
            return made
        }
    }

    /// The input of a vector: rows of `row` elements, `step` bytes apart.
    private struct Input {
        let format: TensorFormat
        private let size: Int
        private let row: Int
        private let rows: Int
        private let step: Int

        var bytes: Int { max(step * rows, 1) }

        init(_ fields: JSON) {
            func whole(_ key: String) -> Int { (fields[key] as! NSNumber).intValue }
            let type = ["uint8": DataType.uint8, "int8": .int8, "float32": .float32][fields["dtype"] as! String]!
            let isPlanar = fields["layout"] as! String == "NCHW"
            let isBGRA = fields["channels"] as! String == "BGRA"
            format = TensorFormat(
                type: type, layout: isPlanar ? .nchw : .nhwc, width: whole("width"),
                height: whole("height"), rowBytes: whole("row_bytes"), isBGRA: isBGRA)
            size = type == .float32 ? 4 : 1
            row = whole("width") * (isPlanar ? 1 : isBGRA ? 4 : 3)
            rows = whole("height") * (isPlanar ? 3 : 1)
            step = whole("row_bytes") == 0 ? row * size : whole("row_bytes")
        }

        func check(_ memory: [UInt8], _ expected: [UInt8], _ within: Double, _ name: String) {
            XCTAssertEqual(expected.count, row * rows, name)
            var farthest = 0.0
            for y in 0..<rows {
                for x in 0..<row {
                    let wanted = Double(expected[y * row + x])
                    farthest = max(farthest, abs(value(memory, y * step + x * size) - wanted))
                }
                let between = memory[y * step + row * size..<(y + 1) * step]
                XCTAssertTrue(between.allSatisfy { $0 == filler }, "\(name): row \(y)")
            }
            XCTAssertLessThanOrEqual(farthest, within + 1e-3, name)
        }

        private func value(_ memory: [UInt8], _ at: Int) -> Double {
            switch format.type {
            case .uint8: return Double(memory[at])
            case .int8: return Double(Int8(bitPattern: memory[at])) + 128
            default:
                return memory.withUnsafeBytes {
                    Double($0.loadUnaligned(fromByteOffset: at, as: Float.self)) * 255
                }
            }
        }
    }
}
