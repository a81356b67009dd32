import CoreML
import CoreVideo
import Foundation
import TallyLens
import TallyLensCoreML
import XCTest

/// What `swift_checks/record.py` writes.
private struct Recorded: Decodable {
    struct Frame: Decodable {
        var timestamp_ns: Int64
        var input: UInt32
        var f32: [[Int32]]
        var f16: [[Int32]]
    }
    var about: [String: String]
    var shapes: [[Int]]
    var frames: [Frame]
}

/// The Core ML engine on recorded heads, packed and padded: detections are those of Python.
final class RecordedHeadsTests: XCTestCase {
    private let place = URL(fileURLWithPath: "/no/model.mlmodelc")

    func testRecordedHeads() async throws {
        let folders = (ProcessInfo.processInfo.environment["TALLYLENS_RECORDINGS"] ?? "")
            .split(separator: ":").map { URL(fileURLWithPath: String($0)) }
        XCTAssertFalse(folders.isEmpty, "TALLYLENS_RECORDINGS names no folder")
        for folder in folders {
            let recorded = try JSONDecoder().decode(
                Recorded.self, from: Data(contentsOf: folder.appendingPathComponent("recording.json")))
            for type in [MLMultiArrayDataType.float32, .float16] {
                for padded in [0, 64, 192] {
                    try await check(recorded, folder, type, padded)
                }
            }
        }
    }

    private func check(
        _ recorded: Recorded, _ folder: URL, _ type: MLMultiArrayDataType, _ padded: Int
    ) async throws {
        let isHalf = type == .float16
        let label = "\(folder.lastPathComponent) \(isHalf ? "float16" : "float32") \(padded)"
        let metadata = try ModelMetadata(document: Data(recorded.about["tallylens"]!.utf8))
        let model = Recording()
        model.about = recorded.about
        model.shapes = Dictionary(uniqueKeysWithValues: zip(metadata.headNames, recorded.shapes))
        (model.type, model.rowBytes) = (type, padded)
        Recording.current = model
        let engine = try await CoreMLEngine.load(place)
        var options = CounterOptions()
        options.runningMode = .image
        let counter = try Counter(engine: engine, options: options)
        let heads = try Data(
            contentsOf: folder.appendingPathComponent(isHalf ? "heads.f16" : "heads.f32"),
            options: .alwaysMapped)
        let frames = try Data(
            contentsOf: folder.appendingPathComponent("frames.tlfr"), options: .alwaysMapped)
        var at = 0
        for (index, frame) in recorded.frames.enumerated() {
            for (name, shape) in zip(metadata.headNames, recorded.shapes) {
                let bytes = shape.reduce(1, *) * (isHalf ? 2 : 4)
                model.heads[name] = [UInt8](heads[at..<at + bytes])
                at += bytes
            }
            let found = try counter.detect(try image(frames, index))
            let wanted = isHalf ? frame.f16 : frame.f32
            XCTAssertEqual(found.map(bits), wanted, "\(label) \(index)")
            XCTAssertEqual(engine.outputsInPlace, padded == 0 ? metadata.headNames.count : 0)
            XCTAssertEqual(inputChecksum(model.input!), frame.input, "\(label) \(index)")
            if isHalf { near(found, frame.f32, label) }
        }
        XCTAssertEqual(at, heads.count)
        print("recorded heads \(label): \(recorded.frames.count) frames")
    }

    private func image(_ file: Data, _ index: Int) throws -> Frame {
        func number(_ at: Int) -> Int {
            file[at..<at + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let (width, height) = (number(4), number(8))
        let start = 16 + index * (8 + 3 * width * height) + 8
        return try Frame(
            .bgr, width: width, height: height,
            copying: [UInt8](file[start..<start + 3 * width * height]))
    }

    private func bits(_ one: Detection) -> [Int32] {
        [one.x1, one.y1, one.x2, one.y2, one.confidence].map { Int32(bitPattern: $0.bitPattern) }
            + [Int32(one.classID)]
    }

    /// Half precision: the same objects within 0.1 pixels, but for those at the edge of a threshold.
    private func near(_ found: [Detection], _ wanted: [[Int32]], _ label: String) {
        func value(_ bits: Int32) -> Float { Float(bitPattern: UInt32(bitPattern: bits)) }
        for one in found where one.confidence > 0.3 {
            let sides = [one.x1, one.y1, one.x2, one.y2]
            XCTAssertTrue(
                wanted.contains { row in
                    Int(row[5]) == one.classID
                        && zip(row, sides).allSatisfy { abs(value($0) - $1) <= 0.1 }
                }, "\(label): \(one)")
        }
    }

    /// zlib's checksum of the input as RGB, as the recording has it.
    private func inputChecksum(_ buffer: CVPixelBuffer) -> UInt32 {
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        let start = CVPixelBufferGetBaseAddress(buffer)!
        let row = CVPixelBufferGetBytesPerRow(buffer)
        var crc = ~UInt32(0)
        for y in 0..<CVPixelBufferGetHeight(buffer) {
            let pixels = start.advanced(by: y * row).assumingMemoryBound(to: UInt8.self)
            for x in 0..<CVPixelBufferGetWidth(buffer) {
                for channel in [2, 1, 0] {
                    crc = RecordedHeadsTests.table[Int(UInt8(truncatingIfNeeded: crc) ^ pixels[4 * x + channel])]
                        ^ (crc >> 8)
                }
            }
        }
        return ~crc
    }

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? 0xEDB8_8320 ^ (crc >> 1) : crc >> 1 }
    }
}
