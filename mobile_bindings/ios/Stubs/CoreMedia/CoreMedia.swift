// Declarations of CoreMedia that the package uses, as Swift imports them.
@_exported import CoreVideo
import Foundation

public struct CMTime: Sendable {
    public var value: Int64
    public var timescale: Int32
    public init(value: Int64, timescale: Int32) {
        self.value = value
        self.timescale = timescale
    }
}

public func CMTimeGetSeconds(_ time: CMTime) -> Double { Double(time.value) / Double(time.timescale) }

public final class CMSampleBuffer: @unchecked Sendable {
    let image: CVImageBuffer?
    let time: CMTime
    let dropped: String?
    public init(_ image: CVImageBuffer?, _ time: CMTime, dropped: String? = nil) {
        self.image = image
        self.time = time
        self.dropped = dropped
    }
}

public typealias CMAttachmentMode = UInt32
public typealias CMAttachmentBearer = AnyObject
public typealias CFTypeRef = Any

public func CMSampleBufferGetImageBuffer(_ sbuf: CMSampleBuffer) -> CVImageBuffer? { sbuf.image }
public func CMSampleBufferGetPresentationTimeStamp(_ sbuf: CMSampleBuffer) -> CMTime { sbuf.time }
public let kCMSampleBufferAttachmentKey_DroppedFrameReason: CFString = "DroppedFrameReason"
public let kCMSampleBufferDroppedFrameReason_FrameWasLate: CFString = "FrameWasLate"
public let kCMSampleBufferDroppedFrameReason_OutOfBuffers: CFString = "OutOfBuffers"

public func CMGetAttachment(
    _ target: CMAttachmentBearer, key: CFString,
    attachmentModeOut: UnsafeMutablePointer<CMAttachmentMode>?
) -> CFTypeRef? {
    key == kCMSampleBufferAttachmentKey_DroppedFrameReason
        ? (target as? CMSampleBuffer)?.dropped : nil
}
