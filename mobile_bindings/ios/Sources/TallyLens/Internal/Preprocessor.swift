import CTally

/// Frames to the inputs of engines: `tally_preprocessor`. Not thread-safe.
final class Preprocessor {
    private let handle: OpaquePointer

    init() throws(TallyLensError) {
        var made: OpaquePointer?
        try check(tally_preprocessor_create(&made), nil)
        handle = made!
    }

    deinit { tally_preprocessor_destroy(handle) }

    /// Turn, scale and center `image` in an input; how source pixels map to input pixels.
    func run(
        _ image: tally_image, into bytes: UnsafeMutableRawBufferPointer, _ format: TensorFormat
    ) throws(TallyLensError) -> tally_letterbox {
        var image = image
        var letterbox = tally_letterbox()
        var tensor = tally_tensor()
        tensor.struct_size = UInt32(MemoryLayout<tally_tensor>.size)
        tensor.dtype = format.type.rawValue
        tensor.layout = format.layout.rawValue
        tensor.width = Int32(clamping: format.width)
        tensor.height = Int32(clamping: format.height)
        tensor.data = bytes.baseAddress
        tensor.bytes = bytes.count
        tensor.row_bytes = max(format.rowBytes, 0)
        tensor.channels = Int32(
            (format.isBGRA ? TALLY_CHANNELS_BGRA : TALLY_CHANNELS_RGB).rawValue)
        try check(
            tally_preprocessor_run(handle, &image, &tensor, &letterbox),
            tally_preprocessor_error(handle))
        return letterbox
    }
}

extension Frame {
    /// The frame as the core reads it.
    var native: tally_image {
        var image = tally_image()
        image.struct_size = UInt32(MemoryLayout<tally_image>.size)
        image.format = format.rawValue
        image.width = Int32(width)
        image.height = Int32(height)
        image.rotation = Int32(clamping: rotation)
        let all = [planes.0, planes.1, planes.2]
        func bytes(_ i: Int) -> UnsafePointer<UInt8>? {
            all[i]?.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        }
        image.planes = (bytes(0), bytes(1), bytes(2))
        image.strides = (stride(0), stride(1), stride(2))
        image.plane_bytes = (
            all[0]?.bytes.count ?? 0, all[1]?.bytes.count ?? 0, all[2]?.bytes.count ?? 0
        )
        image.yuv_range = range.rawValue
        image.yuv_matrix = matrix.rawValue
        return image
        func stride(_ i: Int) -> Int32 { Int32(clamping: all[i]?.stride ?? 0) }
    }
}
