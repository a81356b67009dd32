#if canImport(AVFoundation)
import CoreVideo
import TallyLens

/// Keeps a pixel buffer locked for reading as long as its frame lives.
private final class LockedPixels {
    let buffer: CVPixelBuffer

    init(_ buffer: CVPixelBuffer) {
        self.buffer = buffer
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
    }

    deinit { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
}

extension Frame {
    /// A camera's or a decoder's pixel buffer, without a copy: 32BGRA, 420v or 420f.
    ///
    /// - Parameter rotation: clockwise turn that makes it upright: 0, 90, 180 or 270 degrees.
    public init(_ buffer: CVPixelBuffer, rotation: Int = 0) throws(TallyLensError) {
        let owner = LockedPixels(buffer)
        let (width, height) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
        func plane(_ i: Int) -> Plane {
            let stride = CVPixelBufferGetBytesPerRowOfPlane(buffer, i)
            let rows = CVPixelBufferGetHeightOfPlane(buffer, i)
            let start = CVPixelBufferGetBaseAddressOfPlane(buffer, i)
            return Plane(
                bytes: UnsafeRawBufferPointer(start: start, count: stride * rows), stride: stride)
        }
        switch CVPixelBufferGetPixelFormatType(buffer) {
        case kCVPixelFormatType_32BGRA:
            let stride = CVPixelBufferGetBytesPerRow(buffer)
            let bytes = UnsafeRawBufferPointer(
                start: CVPixelBufferGetBaseAddress(buffer), count: stride * height)
            try self.init(
                .bgra, width: width, height: height, planes: Plane(bytes: bytes, stride: stride),
                owner: owner)
        case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange:
            try self.init(
                .nv12, width: width, height: height, planes: plane(0), plane(1), range: .full,
                owner: owner)
        case kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange:
            try self.init(
                .nv12, width: width, height: height, planes: plane(0), plane(1), range: .video,
                owner: owner)
        case let other:
            throw TallyLensError(
                .usage, "a pixel buffer of format \(other) cannot be counted",
                "Use 32BGRA, 420v or 420f")
        }
        self.rotation = rotation
    }
}
#endif
