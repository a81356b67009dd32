import Foundation
import XCTest

@testable import TallyLens

/// Frames as they are sent: pixels, JPEG, and whether anything has changed.
final class FrameImageTests: XCTestCase {
    /// A smooth picture with a sharp edge, the same in every run.
    private func picture(_ width: Int, _ height: Int) -> RGBImage {
        var bytes: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let wave = 90 + 60 * sin(Double(x) / 17) * cos(Double(y) / 23)
                bytes += [UInt8(wave), UInt8(255 * x / width), x + y > width ? 200 : 40]
            }
        }
        return RGBImage(bytes: bytes, width: width, height: height)
    }

    /// Files for another decoder, which `check` runs; sizes that are no multiple of a block too.
    func testFilesThatOthersDecode() throws {
        var sizes: [Int] = []
        for (width, height) in [(160, 96), (67, 45), (1, 1)] {
            let image = picture(width, height)
            for quality in [90, 60, 40] {
                let file = JPEGEncoder(quality: quality).encode(image)
                XCTAssertEqual(Array(file.prefix(3)), [0xFF, 0xD8, 0xFF])
                XCTAssertEqual(Array(file.suffix(2)), [0xFF, 0xD9])
                sizes.append(file.count)
                guard let folder = ProcessInfo.processInfo.environment["TALLYLENS_JPEG"] else { continue }
                let place = URL(fileURLWithPath: folder)
                try file.write(to: place.appendingPathComponent("\(width)x\(height)-\(quality).jpg"))
                try Data(image.bytes).write(to: place.appendingPathComponent("\(width)x\(height).rgb"))
            }
        }
        XCTAssertGreaterThan(sizes[0], sizes[1])
        XCTAssertGreaterThan(sizes[1], sizes[2])
    }

    func testAFrameIsReadUprightAndNeverEnlarged() throws {
        let (width, height) = (64, 32)
        let given = picture(width, height)
        var frame = try Frame(.rgb, width: width, height: height, copying: given.bytes)
        let reader = try FrameReader()
        let whole = try reader.image(frame, width: 640, height: 640)
        XCTAssertEqual(whole.bytes, given.bytes)
        let half = try reader.image(frame, width: 32, height: 32)
        XCTAssertEqual([half.width, half.height, half.bytes.count], [32, 16, 3 * 32 * 16])
        frame.rotation = 90
        let turned = try reader.image(frame, width: 640, height: 640)
        XCTAssertEqual([turned.width, turned.height], [32, 64])
        // The first row from the right of the given one's last rows upwards.
        XCTAssertEqual(
            Array(turned.bytes.prefix(3)), Array(given.bytes[(3 * width * (height - 1))...].prefix(3)))
        XCTAssertEqual(Array(whole.bgr().prefix(3)), Array(given.bytes.prefix(3).reversed()))
    }

    func testViewsOfAllFormatsSeeTheSameChange() throws {
        let (width, height) = (70, 40)
        func packed(_ format: PixelFormat, _ channels: Int, _ gray: UInt8) throws -> FrameView {
            var bytes = [UInt8](repeating: 100, count: channels * width * height)
            // One cell in the lower right corner.
            for y in 38..<40 {
                for x in 68..<70 {
                    for c in 0..<channels { bytes[channels * (width * y + x) + c] = gray }
                }
            }
            return try FrameView(Frame(format, width: width, height: height, copying: bytes))
        }
        for (format, channels) in [(PixelFormat.bgr, 3), (.rgb, 3), (.bgra, 4), (.rgba, 4)] {
            let (before, after) = (try packed(format, channels, 100), try packed(format, channels, 150))
            XCTAssertEqual(before.difference(before), 0)
            XCTAssertEqual(after.difference(before), 41)
        }
        let small = try Frame(.rgb, width: 8, height: 8, copying: [UInt8](repeating: 7, count: 192))
        XCTAssertEqual(try FrameView(small).levels, [Int](repeating: 7, count: 576))
    }

    /// A plane that is shorter than the frame is not read beyond its end.
    func testAShortPlaneHasNoView() throws {
        let memory = [UInt8](repeating: 0, count: 3 * 64 * 64 - 1)
        XCTAssertThrowsError(
            try FrameView(try Frame(.rgb, width: 64, height: 64, copying: memory)))
    }

    func testTheLadderFitsTheLink() throws {
        let frame = try Frame(.rgb, width: 160, height: 96, copying: picture(160, 96).bytes)
        let reader = try FrameReader()
        var best = FrameEncoder(input: (160, 96), maxBytes: 1 << 20, aim: .best(live: false))
        let exact = try best.encode(frame, reader)
        XCTAssertEqual(exact.codec, .raw)
        XCTAssertEqual(exact.data.count, 3 * 160 * 96)
        for _ in 0..<20 { best.adapt(bandwidth: 1000, seconds: 0.1) }
        XCTAssertTrue(best.isSmallest)
        let small = try best.encode(frame, reader)
        XCTAssertEqual([small.width, small.height], [80, 48])
        XCTAssertEqual(small.scale.x, 2)
        for _ in 0..<20 { best.adapt(bandwidth: 1e9, seconds: 1) }
        XCTAssertEqual(try best.encode(frame, reader).codec, .raw)
        var same = FrameEncoder(input: (160, 96), maxBytes: 10, aim: .exact)
        same.adapt(bandwidth: 1, seconds: 0.1)
        XCTAssertEqual(try same.encode(frame, reader).codec, .raw)
        var limited = FrameEncoder(input: (160, 96), maxBytes: 10_000, aim: .best(live: false))
        XCTAssertEqual(try limited.encode(frame, reader).codec, .jpeg)
    }
}
