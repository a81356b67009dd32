// Declarations of CoreVideo that the package uses, as Swift imports them, over plain memory.
import Foundation

public typealias CFAllocator = AnyObject
public typealias CFDictionary = [String: Any]
public typealias CFString = String
public typealias OSType = UInt32
public typealias CVReturn = Int32
public typealias CVOptionFlags = UInt64

public final class CVBuffer: @unchecked Sendable {
    let width: Int
    let height: Int
    let format: OSType
    let planes: [(start: UnsafeMutableRawPointer, stride: Int, rows: Int)]
    public var locks = 0
    /// As if there was no memory for another.
    nonisolated(unsafe) public static var isRefused = false

    init(_ width: Int, _ height: Int, _ format: OSType) {
        self.width = width
        self.height = height
        self.format = format
        func plane(_ bytes: Int, _ rows: Int) -> (UnsafeMutableRawPointer, Int, Int) {
            // Padded to 64 bytes, as Apple's are, and then some.
            let stride = (bytes + 63) / 64 * 64 + 64
            return (.allocate(byteCount: stride * rows, alignment: 64), stride, rows)
        }
        planes =
            format == kCVPixelFormatType_32BGRA
            ? [plane(4 * width, height)] : [plane(width, height), plane(width, height / 2)]
    }

    deinit { for plane in planes { plane.start.deallocate() } }
}

public typealias CVPixelBuffer = CVBuffer
public typealias CVImageBuffer = CVBuffer

public struct CVPixelBufferLockFlags: OptionSet, Sendable {
    public let rawValue: CVOptionFlags
    public init(rawValue: CVOptionFlags) { self.rawValue = rawValue }
    public static let readOnly = CVPixelBufferLockFlags(rawValue: 1)
}

public let kCVPixelFormatType_32BGRA: OSType = 0x4247_5241
public let kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange: OSType = 0x3432_3076
public let kCVPixelFormatType_420YpCbCr8BiPlanarFullRange: OSType = 0x3432_3066
public let kCVPixelBufferIOSurfacePropertiesKey: CFString = "IOSurfaceProperties"
public let kCVPixelBufferPixelFormatTypeKey: CFString = "PixelFormatType"

@discardableResult
public func CVPixelBufferCreate(
    _ allocator: CFAllocator?, _ width: Int, _ height: Int, _ pixelFormatType: OSType,
    _ pixelBufferAttributes: CFDictionary?,
    _ pixelBufferOut: UnsafeMutablePointer<CVPixelBuffer?>
) -> CVReturn {
    if CVBuffer.isRefused { return -6662 }
    pixelBufferOut.pointee = CVBuffer(width, height, pixelFormatType)
    return 0
}

@discardableResult
public func CVPixelBufferLockBaseAddress(
    _ pixelBuffer: CVPixelBuffer, _ lockFlags: CVPixelBufferLockFlags
) -> CVReturn {
    pixelBuffer.locks += 1
    return 0
}

@discardableResult
public func CVPixelBufferUnlockBaseAddress(
    _ pixelBuffer: CVPixelBuffer, _ unlockFlags: CVPixelBufferLockFlags
) -> CVReturn {
    pixelBuffer.locks -= 1
    return 0
}

public func CVPixelBufferGetWidth(_ pixelBuffer: CVPixelBuffer) -> Int { pixelBuffer.width }
public func CVPixelBufferGetHeight(_ pixelBuffer: CVPixelBuffer) -> Int { pixelBuffer.height }
public func CVPixelBufferGetPixelFormatType(_ pixelBuffer: CVPixelBuffer) -> OSType {
    pixelBuffer.format
}
public func CVPixelBufferGetBytesPerRow(_ pixelBuffer: CVPixelBuffer) -> Int {
    pixelBuffer.planes[0].stride
}
/// Nil unless it is locked: memory is not to be read then.
public func CVPixelBufferGetBaseAddress(_ pixelBuffer: CVPixelBuffer) -> UnsafeMutableRawPointer? {
    pixelBuffer.locks > 0 ? pixelBuffer.planes[0].start : nil
}
public func CVPixelBufferGetBaseAddressOfPlane(
    _ pixelBuffer: CVPixelBuffer, _ planeIndex: Int
) -> UnsafeMutableRawPointer? {
    pixelBuffer.locks > 0 ? pixelBuffer.planes[planeIndex].start : nil
}
public func CVPixelBufferGetBytesPerRowOfPlane(
    _ pixelBuffer: CVPixelBuffer, _ planeIndex: Int
) -> Int { pixelBuffer.planes[planeIndex].stride }
public func CVPixelBufferGetHeightOfPlane(_ pixelBuffer: CVPixelBuffer, _ planeIndex: Int) -> Int {
    pixelBuffer.planes[planeIndex].rows
}
