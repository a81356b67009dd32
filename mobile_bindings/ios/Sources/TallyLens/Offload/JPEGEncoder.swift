import Foundation

/// Baseline JPEG (ITU-T T.81) with chrominance at half size, its quality on the scale of libjpeg.
///
/// Foundation has no encoder, and ImageIO is not everywhere where this package is tested.
struct JPEGEncoder {
    private let tables: [[Int]]
    /// What a coefficient of the unscaled transform is multiplied with, for each table.
    private let factors: [[Float]]

    /// - Parameter quality: 1 to 100.
    init(quality: Int) {
        let quality = min(max(quality, 1), 100)
        let scale = quality < 50 ? 5000 / quality : 200 - 2 * quality
        tables = [JPEGTables.luminance, JPEGTables.chrominance].map { table in
            table.map { min(max(($0 * scale + 50) / 100, 1), 255) }
        }
        factors = tables.map { table in
            table.indices.map { index in
                1 / (Float(table[index]) * DCT.scale[index / 8] * DCT.scale[index % 8] * 8)
            }
        }
    }

    /// The file.
    func encode(_ image: RGBImage) -> Data {
        var out = BitWriter(headers(image))
        let side = 16
        var previous = [0, 0, 0]
        var luminance = [Float](repeating: 0, count: 256)
        var chrominance = [[Float]](repeating: [Float](repeating: 0, count: 64), count: 2)
        var block = [Float](repeating: 0, count: 64)
        for y in stride(from: 0, to: image.height, by: side) {
            for x in stride(from: 0, to: image.width, by: side) {
                JPEGEncoder.convert(image, x, y, &luminance, &chrominance)
                for quarter in 0..<4 {
                    let start = quarter / 2 * 128 + quarter % 2 * 8
                    for row in 0..<8 {
                        for column in 0..<8 {
                            block[8 * row + column] = luminance[start + 16 * row + column]
                        }
                    }
                    write(&block, 0, &previous[0], &out)
                }
                for channel in 0..<2 {
                    write(&chrominance[channel], 1, &previous[channel + 1], &out)
                }
            }
        }
        return Data(out.finish() + [0xFF, 0xD9])
    }

    private func headers(_ image: RGBImage) -> [UInt8] {
        var out: [UInt8] = [0xFF, 0xD8]
        func segment(_ marker: UInt8, _ content: [UInt8]) {
            let length = content.count + 2
            out += [0xFF, marker, UInt8(length >> 8), UInt8(length & 0xFF)] + content
        }
        segment(0xE0, Array("JFIF\0".utf8) + [1, 1, 0, 0, 1, 0, 1, 0, 0])
        for (number, table) in tables.enumerated() {
            segment(0xDB, [UInt8(number)] + JPEGTables.zigzag.map { UInt8(table[$0]) })
        }
        let size = [image.height >> 8, image.height & 0xFF, image.width >> 8, image.width & 0xFF]
        segment(0xC0, [8] + size.map { UInt8($0) } + [3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1])
        let codes: [(UInt8, HuffmanTable)] = [
            (0x00, JPEGTables.dcLuminance), (0x10, JPEGTables.acLuminance),
            (0x01, JPEGTables.dcChrominance), (0x11, JPEGTables.acChrominance),
        ]
        for (number, table) in codes { segment(0xC4, [number] + table.counts + table.values) }
        segment(0xDA, [3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0])
        return out
    }

    /// 16 x 16 pixels as luminance, and as chrominance of half the size, around 0. Pixels beyond the
    /// image are those of its edge.
    private static func convert(
        _ image: RGBImage, _ left: Int, _ top: Int, _ luminance: inout [Float],
        _ chrominance: inout [[Float]]
    ) {
        for channel in 0..<2 {
            for index in 0..<64 { chrominance[channel][index] = 0 }
        }
        image.bytes.withUnsafeBufferPointer { bytes in
            for row in 0..<16 {
                let line = min(top + row, image.height - 1) * image.width
                for column in 0..<16 {
                    let at = 3 * (line + min(left + column, image.width - 1))
                    let (r, g, b) = (Float(bytes[at]), Float(bytes[at + 1]), Float(bytes[at + 2]))
                    luminance[16 * row + column] = 0.299 * r + 0.587 * g + 0.114 * b - 128
                    let cell = 8 * (row / 2) + column / 2
                    chrominance[0][cell] += 0.25 * (0.5 * b - 0.168736 * r - 0.331264 * g)
                    chrominance[1][cell] += 0.25 * (0.5 * r - 0.418688 * g - 0.081312 * b)
                }
            }
        }
    }

    /// Transform, quantize and write a block; `table` 0 is luminance.
    private func write(
        _ block: inout [Float], _ table: Int, _ previous: inout Int, _ out: inout BitWriter
    ) {
        DCT.transform(&block)
        let factors = factors[table]
        let (dc, ac) =
            table == 0
            ? (JPEGTables.dcLuminance.codes, JPEGTables.acLuminance.codes)
            : (JPEGTables.dcChrominance.codes, JPEGTables.acChrominance.codes)
        let first = Int((block[0] * factors[0]).rounded())
        out.put(dc[BitWriter.size(first - previous)])
        out.put(signed: first - previous)
        previous = first
        var zeros = 0
        for index in JPEGTables.zigzag.dropFirst() {
            let value = Int((block[index] * factors[index]).rounded())
            if value == 0 {
                zeros += 1
                continue
            }
            while zeros > 15 {
                out.put(ac[0xF0])
                zeros -= 16
            }
            out.put(ac[zeros << 4 | BitWriter.size(value)])
            out.put(signed: value)
            zeros = 0
        }
        if zeros > 0 { out.put(ac[0]) }
    }
}

/// The discrete cosine transform of 8 x 8 values, after Arai, Agui and Nakajima (1988): 5 multiplications
/// per row and column; its coefficients are scaled.
private enum DCT {
    /// Scale of each row and column.
    static let scale: [Float] = [
        1, 1.387_039_8, 1.306_563, 1.175_875_6, 1, 0.785_694_96, 0.541_196_1, 0.275_899_4,
    ]

    static func transform(_ block: inout [Float]) {
        block.withUnsafeMutableBufferPointer { values in
            for row in 0..<8 { line(values, 8 * row, 1) }
            for column in 0..<8 { line(values, column, 8) }
        }
    }

    private static func line(_ v: UnsafeMutableBufferPointer<Float>, _ at: Int, _ step: Int) {
        let (a0, b0) = (v[at] + v[at + 7 * step], v[at] - v[at + 7 * step])
        let (a1, b1) = (v[at + step] + v[at + 6 * step], v[at + step] - v[at + 6 * step])
        let (a2, b2) = (v[at + 2 * step] + v[at + 5 * step], v[at + 2 * step] - v[at + 5 * step])
        let (a3, b3) = (v[at + 3 * step] + v[at + 4 * step], v[at + 3 * step] - v[at + 4 * step])
        // Even coefficients.
        let (c0, c3, c1, c2) = (a0 + a3, a0 - a3, a1 + a2, a1 - a2)
        let z1 = (c2 + c3) * 0.707_106_77
        v[at] = c0 + c1
        v[at + 4 * step] = c0 - c1
        v[at + 2 * step] = c3 + z1
        v[at + 6 * step] = c3 - z1
        // Odd ones.
        let (d0, d1, d2) = (b3 + b2, b2 + b1, b1 + b0)
        let z5 = (d0 - d2) * 0.382_683_43
        let z2 = 0.541_196_1 * d0 + z5
        let z4 = 1.306_563 * d2 + z5
        let z3 = d1 * 0.707_106_77
        let (z11, z13) = (b0 + z3, b0 - z3)
        v[at + 5 * step] = z13 + z2
        v[at + 3 * step] = z13 - z2
        v[at + step] = z11 + z4
        v[at + 7 * step] = z11 - z4
    }
}

/// Bits to bytes, with a zero after each byte of ones.
private struct BitWriter {
    private var bytes: [UInt8]
    private var bits: UInt64 = 0
    private var count = 0

    init(_ start: [UInt8]) { bytes = start }

    mutating func put(_ code: (code: UInt32, length: Int)) {
        bits = bits << UInt64(code.length) | UInt64(code.code)
        count += code.length
        while count >= 8 {
            count -= 8
            let byte = UInt8(truncatingIfNeeded: bits >> UInt64(count))
            bytes.append(byte)
            if byte == 0xFF { bytes.append(0) }
        }
    }

    /// The bits of a number after its size: those of a negative one are the complement's.
    mutating func put(signed value: Int) {
        let size = BitWriter.size(value)
        let bits = value < 0 ? value + (1 << size) - 1 : value
        put((UInt32(bits), size))
    }

    /// How many bits a number has.
    static func size(_ value: Int) -> Int { Int.bitWidth - abs(value).leadingZeroBitCount }

    /// All bytes, the last filled up with ones.
    mutating func finish() -> [UInt8] {
        if count > 0 { put((UInt32(1 << (8 - count)) - 1, 8 - count)) }
        return bytes
    }
}
