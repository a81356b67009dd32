// The declarations of CryptoKit that the package uses. Not SHA-256: a digest for the check only.
import Foundation

public struct SHA256Digest: Sequence, Sendable {
    let bytes: [UInt8]
    public func makeIterator() -> Array<UInt8>.Iterator { bytes.makeIterator() }
}

public struct SHA256 {
    private var state: [UInt64] = [0xcbf2_9ce4_8422_2325, 1, 2, 3]

    public init() {}

    public mutating func update<D: DataProtocol>(data: D) {
        for byte in data {
            for i in 0..<4 { state[i] = (state[i] ^ UInt64(byte)) &* 0x100_0000_01b3 &+ UInt64(i) }
        }
    }

    public func finalize() -> SHA256Digest {
        SHA256Digest(bytes: state.flatMap { word in (0..<8).map { UInt8(word >> (8 * $0) & 255) } })
    }
}
