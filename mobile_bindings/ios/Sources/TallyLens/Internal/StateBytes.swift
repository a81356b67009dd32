import CZlib
import Foundation

/// Writes numbers and texts as `java.io.DataOutputStream` does: saved counts are the same on Android.
struct StateWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put<T: FixedWidthInteger>(_ number: T) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ number: Float) { put(number.bitPattern) }

    mutating func put(_ text: String) {
        var encoded: [UInt8] = []
        for unit in text.utf16 {
            if unit >= 1 && unit < 0x80 {
                encoded.append(UInt8(unit))
            } else if unit < 0x800 {
                encoded += [0xC0 | UInt8(unit >> 6), 0x80 | UInt8(unit & 0x3F)]
            } else {
                encoded += [
                    0xE0 | UInt8(unit >> 12), 0x80 | UInt8(unit >> 6 & 0x3F), 0x80 | UInt8(unit & 0x3F),
                ]
            }
        }
        put(UInt16(encoded.count))
        bytes += encoded
    }

    mutating func put(raw: [UInt8]) { bytes += raw }

    mutating func list<C: Collection>(_ items: C, _ write: (inout StateWriter, C.Element) -> Void) {
        put(Int32(items.count))
        for item in items { write(&self, item) }
    }
}

/// The bytes are not those of a saved count.
struct DamagedState: Error {}

/// Reads what `StateWriter` wrote; from an untrusted file, so bounded.
struct StateReader {
    private let bytes: [UInt8]
    private var at = 0
    private static let maxItems = 1 << 20

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func raw(_ count: Int) throws(DamagedState) -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.count - at else { throw DamagedState() }
        defer { at += count }
        return bytes[at..<at + count]
    }

    mutating func number<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(DamagedState) -> T {
        try raw(MemoryLayout<T>.size).reduce(0) { $0 << 8 | T(truncatingIfNeeded: $1) }
    }

    mutating func whole() throws(DamagedState) -> Int { Int(try number(Int32.self)) }

    mutating func long() throws(DamagedState) -> Int64 { try number(Int64.self) }

    mutating func float() throws(DamagedState) -> Float {
        Float(bitPattern: try number(UInt32.self))
    }

    mutating func text() throws(DamagedState) -> String {
        let encoded = Array(try raw(Int(try number(UInt16.self))))
        var units: [UInt16] = []
        var i = 0
        while i < encoded.count {
            let lead = UInt16(encoded[i])
            let length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : 3
            guard i + length <= encoded.count else { throw DamagedState() }
            let tail = encoded[i + 1..<i + length]
            guard tail.allSatisfy({ $0 & 0xC0 == 0x80 }) else { throw DamagedState() }
            let first = length == 1 ? lead : length == 2 ? lead & 0x1F : lead & 0x0F
            units.append(tail.reduce(first) { $0 << 6 | UInt16($1 & 0x3F) })
            i += length
        }
        return String(decoding: units, as: UTF16.self)
    }

    mutating func list<T>(
        _ read: (inout StateReader) throws(DamagedState) -> T
    ) throws(DamagedState) -> [T] {
        let count = try whole()
        guard (0...StateReader.maxItems).contains(count) else { throw DamagedState() }
        var items: [T] = []
        for _ in 0..<count { items.append(try read(&self)) }
        return items
    }

    func checkEnd() throws(DamagedState) { if at != bytes.count { throw DamagedState() } }
}

/// CRC-32 as in gzip.
func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    UInt32(bytes.withUnsafeBufferPointer { crc32(0, $0.baseAddress, uInt($0.count)) })
}

/// zlib's format at its best compression.
func deflated(_ bytes: [UInt8]) -> [UInt8] {
    var size = compressBound(uLong(bytes.count))
    var out = [UInt8](repeating: 0, count: Int(size))
    compress2(&out, &size, bytes, uLong(bytes.count), Z_BEST_COMPRESSION)
    return Array(out[..<Int(size)])
}

/// Exactly `size` bytes out of zlib's format.
func inflated(_ bytes: ArraySlice<UInt8>, _ size: Int) throws(DamagedState) -> [UInt8] {
    var length = uLongf(size)
    var out = [UInt8](repeating: 0, count: size)
    let status = bytes.withUnsafeBufferPointer {
        uncompress(&out, &length, $0.baseAddress, uLong($0.count))
    }
    guard status == Z_OK, Int(length) == size else { throw DamagedState() }
    return out
}
