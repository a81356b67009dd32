import Foundation

/// The header of a binary message of `tallylens.v1`: 24 bytes, little-endian, before the encoded image.
struct FrameHeader: Sendable, Equatable {
    /// From 1.
    var sequence: Int64
    /// Capture time in microseconds from any origin.
    var captureMicroseconds: Int64
    /// Milliseconds from arrival after which an answer is of no use.
    var deadlineMilliseconds: Int64
    /// Pixels of the image, above 0.
    var width: Int
    /// Pixels of the image, above 0.
    var height: Int
    var codec: Codec
    /// Whether the frame was sent before.
    var repeated: Bool

    static let bytes = 24
    private static let version: UInt8 = 1
    private static let kind: UInt8 = 1

    /// The message: this header, then the image.
    func message(_ image: Data) -> Data {
        var out = Data(capacity: FrameHeader.bytes + image.count)
        out.append(contentsOf: [
            FrameHeader.version, FrameHeader.kind, codec.rawValue, repeated ? 1 : 0,
        ])
        func put<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
        }
        put(UInt32(truncatingIfNeeded: sequence))
        put(captureMicroseconds)
        put(UInt32(truncatingIfNeeded: deadlineMilliseconds))
        put(UInt16(truncatingIfNeeded: width))
        put(UInt16(truncatingIfNeeded: height))
        out.append(image)
        return out
    }

    /// Header and image of a message.
    static func decode(_ message: Data) throws(TallyLensError) -> (FrameHeader, Data) {
        let message = Data(message)
        if message.count < bytes {
            throw .violation("a frame of \(message.count) bytes has no room for its header")
        }
        func number<T: FixedWidthInteger>(_ at: Int, _: T.Type) -> T {
            message.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: T.self)) }
        }
        if message[0] != version || message[1] != kind {
            throw .violation("a binary message of version \(message[0]) and type \(message[1])")
        }
        guard let codec = Codec(rawValue: message[2]) else {
            throw .violation("the codec is \(message[2])")
        }
        if message[3] > 1 {
            throw .violation("the flags are 0x\(String(message[3], radix: 16))")
        }
        let header = FrameHeader(
            sequence: Int64(number(4, UInt32.self)), captureMicroseconds: number(8, Int64.self),
            deadlineMilliseconds: Int64(number(16, UInt32.self)), width: Int(number(20, UInt16.self)),
            height: Int(number(22, UInt16.self)), codec: codec, repeated: message[3] == 1)
        if header.sequence == 0 || header.width == 0 || header.height == 0 {
            throw .violation("a sequence number, width or height of 0")
        }
        return (header, message.suffix(from: bytes))
    }
}
