import CTally

/// An upright image: rows of red, green and blue from the top, 3 bytes per pixel.
struct RGBImage {
    var bytes: [UInt8]
    var width: Int
    var height: Int
}

/// Reads the pixels of frames of every format, scaled as the core scales them for a model. Not
/// thread-safe.
final class FrameReader {
    private let preprocessor: Preprocessor

    init() throws(TallyLensError) { preprocessor = try Preprocessor() }

    /// The upright frame in its aspect, no larger than `width` x `height` and never enlarged.
    func image(
        _ frame: borrowing Frame, width: Int, height: Int
    ) throws(TallyLensError) -> RGBImage {
        let fits = frame.uprightWidth <= width && frame.uprightHeight <= height
        let (width, height) = fits ? (frame.uprightWidth, frame.uprightHeight) : (width, height)
        var bytes = [UInt8](repeating: 0, count: 3 * width * height)
        let image = frame.native
        let format = TensorFormat(type: .uint8, width: width, height: height)
        let box: tally_letterbox
        do {
            box = try bytes.withUnsafeMutableBytes {
                try preprocessor.run(image, into: $0, format)
            }
        } catch {
            throw .wrapping(error)
        }
        let whole = RGBImage(bytes: bytes, width: width, height: height)
        return fits ? whole : whole.filled(box)
    }
}

extension RGBImage {
    /// The part of a letterbox that the frame fills.
    fileprivate func filled(_ box: tally_letterbox) -> RGBImage {
        let columns = Int((box.gain_x * Float(box.source_width)).rounded(.toNearestOrEven))
        let rows = Int((box.gain_y * Float(box.source_height)).rounded(.toNearestOrEven))
        if columns == width && rows == height { return self }
        var part: [UInt8] = []
        part.reserveCapacity(3 * columns * rows)
        for row in 0..<rows {
            let start = 3 * ((Int(box.pad_y) + row) * width + Int(box.pad_x))
            part.append(contentsOf: bytes[start..<start + 3 * columns])
        }
        return RGBImage(bytes: part, width: columns, height: rows)
    }

    /// The same pixels with blue first.
    func bgr() -> [UInt8] {
        var out = bytes
        out.withUnsafeMutableBufferPointer { pixels in
            for at in stride(from: 0, to: pixels.count - 2, by: 3) { pixels.swapAt(at, at + 2) }
        }
        return out
    }
}
