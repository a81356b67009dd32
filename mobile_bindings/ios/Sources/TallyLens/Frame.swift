/// How the pixels of a frame lie in memory.
public enum PixelFormat: Int32, Sendable {
    /// 3 bytes per pixel, blue first.
    case bgr = 0
    /// 3 bytes per pixel, red first.
    case rgb = 1
    /// 4 bytes per pixel, blue first: `kCVPixelFormatType_32BGRA`.
    case bgra = 2
    /// 4 bytes per pixel, red first.
    case rgba = 3
    /// Y, then interleaved U V at half size: `kCVPixelFormatType_420YpCbCr8BiPlanarFullRange`.
    case nv12 = 4
    /// Y, then interleaved V U at half size.
    case nv21 = 5
    /// Y, U, V; the chroma planes at half size.
    case i420 = 6
}

/// The values that black and white have in a YUV frame: 16 and 235, or 0 and 255.
public enum YUVRange: Int32, Sendable {
    /// 16 to 235.
    case video = 0
    /// 0 to 255.
    case full = 1
}

/// The weights of red, green and blue in a YUV frame.
public enum YUVMatrix: Int32, Sendable {
    /// ITU-R BT.601.
    case bt601 = 0
    /// ITU-R BT.709.
    case bt709 = 1
}

/// One plane of a frame.
public struct Plane {
    /// Its memory.
    public var bytes: UnsafeRawBufferPointer
    /// Bytes from row to row.
    public var stride: Int

    /// A plane in memory that somebody keeps.
    public init(bytes: UnsafeRawBufferPointer, stride: Int) {
        self.bytes = bytes
        self.stride = stride
    }
}

/// A frame as the camera gives it, without a copy: its planes stay in the memory of `owner`.
public struct Frame {
    /// How its pixels lie in memory.
    public let format: PixelFormat
    /// Pixels before rotation.
    public let width: Int
    /// Pixels before rotation.
    public let height: Int
    /// Clockwise turn that makes it upright: 0, 90, 180 or 270 degrees.
    public var rotation = 0
    /// Values of black and white, if it is YUV.
    public var range: YUVRange
    /// Weights of the colors, if it is YUV.
    public var matrix: YUVMatrix
    let planes: (Plane, Plane?, Plane?)
    let owner: AnyObject?

    /// A frame in memory that `owner` keeps: it is retained until the frame has been read.
    ///
    /// - Parameter planes: one for packed formats, two for NV12 and NV21, three for I420.
    public init(
        _ format: PixelFormat, width: Int, height: Int, planes: Plane..., range: YUVRange = .full,
        matrix: YUVMatrix = .bt601, owner: AnyObject?
    ) throws(TallyLensError) {
        let sides = 1...32_768
        let needed = format == .i420 ? 3 : format.rawValue >= PixelFormat.nv12.rawValue ? 2 : 1
        guard sides.contains(width), sides.contains(height) else {
            throw .usage("a frame is \(width)x\(height)", "Use 1 to \(sides.upperBound) pixels")
        }
        guard planes.count == needed, planes.allSatisfy({ (1...(1 << 28)).contains($0.stride) }) else {
            throw .usage(
                "a frame of \(planes.count) planes is \(format)",
                "Use \(needed) planes with their bytes from row to row")
        }
        self.format = format
        self.width = width
        self.height = height
        self.planes = (
            planes[0], needed > 1 ? planes[1] : nil, needed > 2 ? planes[2] : nil
        )
        self.range = range
        self.matrix = matrix
        self.owner = owner
    }

    /// A frame of packed pixels, which are copied.
    public init(
        _ format: PixelFormat, width: Int, height: Int, copying pixels: [UInt8], stride: Int? = nil
    ) throws(TallyLensError) {
        let memory = OwnedMemory(pixels)
        let perPixel = format.rawValue <= PixelFormat.rgb.rawValue ? 3 : 4
        let plane = Plane(bytes: memory.bytes, stride: stride ?? perPixel * width)
        try self.init(format, width: width, height: height, planes: plane, owner: memory)
    }

    /// Width of the upright frame: that of all coordinates.
    public var uprightWidth: Int { rotation % 180 == 0 ? width : height }

    /// Height of the upright frame.
    public var uprightHeight: Int { rotation % 180 == 0 ? height : width }
}

/// Memory that lives as long as this object.
private final class OwnedMemory {
    let bytes: UnsafeRawBufferPointer

    init(_ values: [UInt8]) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: values.count, alignment: 16)
        memory.copyBytes(from: values)
        bytes = UnsafeRawBufferPointer(memory)
    }

    deinit { bytes.deallocate() }
}
