import Foundation
import TallyLens

/// A video as raw frames: bytes `TLFR`, then width, height and number of frames (int32), then for each
/// frame its capture time in nanoseconds (int64) and its pixels (BGR), all little-endian.
final class FrameFile {
    let width: Int
    let height: Int
    let count: Int
    private let bytes: NSData
    private let frameBytes: Int

    struct Damaged: Error {}

    init(_ path: String) throws {
        bytes = try NSData(contentsOfFile: path, options: .alwaysMapped)
        let data = UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.length)
        func number(_ at: Int) -> Int {
            Int(Int32(littleEndian: data.loadUnaligned(fromByteOffset: at, as: Int32.self)))
        }
        guard data.count >= 16, data.starts(with: Array("TLFR".utf8)) else { throw Damaged() }
        (width, height, count) = (number(4), number(8), number(12))
        frameBytes = 3 * width * height
        guard width > 0, height > 0, data.count == 16 + count * (8 + frameBytes) else {
            throw Damaged()
        }
    }

    /// Capture time and a copy of the pixels of frame number `index`.
    func pixels(_ index: Int) throws -> (Timestamp, Data) {
        let (time, frame) = try mapped(index)
        return (time, Data(frame))
    }

    /// Capture time and pixels of frame number `index`; the pixels are mapped, not read.
    func frame(_ index: Int) throws -> (Timestamp, Frame) {
        let (time, pixels) = try mapped(index)
        let plane = Plane(bytes: pixels, stride: 3 * width)
        return (time, try Frame(.bgr, width: width, height: height, planes: plane, owner: bytes))
    }

    private func mapped(_ index: Int) throws -> (Timestamp, UnsafeRawBufferPointer) {
        let at = 16 + index * (8 + frameBytes)
        let data = UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.length)
        let time = Int64(littleEndian: data.loadUnaligned(fromByteOffset: at, as: Int64.self))
        let pixels = UnsafeRawBufferPointer(rebasing: data[at + 8..<at + 8 + frameBytes])
        return (Timestamp(nanoseconds: time), pixels)
    }
}
