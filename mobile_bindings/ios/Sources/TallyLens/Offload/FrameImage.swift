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

/// Mean gray levels of 32 x 18 cells of a frame, to see whether anything has changed.
struct Thumbnail: Sendable {
    private static let (columns, rows) = (32, 18)
    private var cells: [Float]

    /// nil where the frame is smaller than the cells, or its memory than the frame.
    init?(_ frame: borrowing Frame) {
        let isYUV = frame.format.rawValue >= PixelFormat.nv12.rawValue
        let pixelBytes = isYUV ? 1 : frame.format.rawValue <= PixelFormat.rgb.rawValue ? 3 : 4
        let (width, height, plane) = (frame.width, frame.height, frame.planes.0)
        let needed = plane.stride * (height - 1) + pixelBytes * width
        guard width >= Thumbnail.columns, height >= Thumbnail.rows, plane.bytes.count >= needed
        else { return nil }
        let blueFirst = frame.format == .bgr || frame.format == .bgra
        // 1/256 of each channel's part in the gray level.
        let weights: [Int] = isYUV ? [256, 0, 0] : blueFirst ? [29, 150, 77] : [77, 150, 29]
        var sums = [Int](repeating: 0, count: Thumbnail.columns * Thumbnail.rows)
        for y in 0..<height {
            let row = UnsafeRawBufferPointer(rebasing: plane.bytes[(plane.stride * y)...])
            let first = y * Thumbnail.rows / height * Thumbnail.columns
            for cell in 0..<Thumbnail.columns {
                let pixels = Thumbnail.span(cell, Thumbnail.columns, width)
                sums[first + cell] += Thumbnail.sum(row, pixels, pixelBytes, weights)
            }
        }
        let scale: Float = isYUV && frame.range == .video ? 255 / 219 : 1
        cells = sums.indices.map { index in
            let (x, y) = (index % Thumbnail.columns, index / Thumbnail.columns)
            let pixels = Thumbnail.span(x, Thumbnail.columns, width).count
            let lines = (0..<height).lazy.filter { $0 * Thumbnail.rows / height == y }.count
            return scale * Float(sums[index]) / Float(256 * pixels * lines)
        }
    }

    /// Gray levels by which the most changed cell differs.
    func difference(_ other: Thumbnail) -> Double {
        zip(cells, other.cells).reduce(0) { max($0, Double(abs($1.0 - $1.1))) }
    }

    private static func span(_ cell: Int, _ cells: Int, _ pixels: Int) -> Range<Int> {
        cell * pixels / cells..<(cell + 1) * pixels / cells
    }

    private static func sum(
        _ row: UnsafeRawBufferPointer, _ pixels: Range<Int>, _ bytes: Int, _ weights: [Int]
    ) -> Int {
        var sum = 0
        if bytes == 1 {
            for x in pixels { sum &+= Int(row[x]) }
            return 256 * sum
        }
        let (first, second, third) = (weights[0], weights[1], weights[2])
        for x in pixels {
            let at = bytes * x
            sum &+= first * Int(row[at]) + second * Int(row[at + 1]) + third * Int(row[at + 2])
        }
        return sum
    }
}
