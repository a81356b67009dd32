import CTally
import Dispatch

/// A model's engine with letterbox before it and decoding after it. Not thread-safe.
final class Detector {
    let engine: any Engine
    /// Nanoseconds of the last frame: inference, and what is around it.
    private(set) var inferenceNanos: UInt64 = 0
    private(set) var hostNanos: UInt64 = 0
    private let preprocessor: OpaquePointer
    private let decoder: OpaquePointer
    private let metadata: ModelMetadata
    private let anchors: [UnsafeMutableBufferPointer<Float>]
    private let found: UnsafeMutableBufferPointer<tally_detection>

    init(_ engine: any Engine, iou: Float?) throws(TallyLensError) {
        self.engine = engine
        metadata = engine.metadata
        var options = tally_decoder_options()
        options.struct_size = UInt32(MemoryLayout<tally_decoder_options>.size)
        try check(tally_decoder_defaults(&options), nil)
        options.num_classes = Int32(metadata.classNames.count)
        if let iou { options.iou = iou }
        var made: OpaquePointer?
        try check(tally_preprocessor_create(&made), nil)
        let preprocessor = made!
        do {
            try create { text, capacity in tally_decoder_create(&options, &made, text, capacity) }
        } catch {
            tally_preprocessor_destroy(preprocessor)
            throw error
        }
        self.preprocessor = preprocessor
        decoder = made!
        found = .allocate(capacity: Int(options.max_detections))
        anchors = metadata.anchors.map { values in
            let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
            _ = memory.initialize(from: values)
            return memory
        }
    }

    deinit {
        tally_preprocessor_destroy(preprocessor)
        tally_decoder_destroy(decoder)
        found.deallocate()
        for memory in anchors { memory.deallocate() }
    }

    /// The objects of one frame; valid until the next call.
    func detect(
        _ frame: borrowing Frame
    ) throws(TallyLensError) -> UnsafeBufferPointer<tally_detection> {
        var letterbox = tally_letterbox()
        var count: Int32 = 0
        let image = frame.native
        let start = DispatchTime.now().uptimeNanoseconds
        var (written, inferred) = (start, start)
        do {
            try engine.run { bytes, format in
                try self.write(image, bytes, format, &letterbox)
                written = DispatchTime.now().uptimeNanoseconds
            } heads: { heads in
                inferred = DispatchTime.now().uptimeNanoseconds
                try self.decode(heads, &letterbox, &count)
            }
        } catch {
            throw .wrapping(error)
        }
        inferenceNanos = inferred - written
        hostNanos = DispatchTime.now().uptimeNanoseconds - start - inferenceNanos
        return UnsafeBufferPointer(rebasing: found[..<Int(count)])
    }

    private func write(
        _ image: tally_image, _ bytes: UnsafeMutableRawBufferPointer, _ format: TensorFormat,
        _ letterbox: inout tally_letterbox
    ) throws(TallyLensError) {
        var image = image
        var tensor = tally_tensor()
        tensor.struct_size = UInt32(MemoryLayout<tally_tensor>.size)
        tensor.dtype = format.type.rawValue
        tensor.layout = format.layout.rawValue
        tensor.width = Int32(format.width)
        tensor.height = Int32(format.height)
        tensor.data = bytes.baseAddress
        tensor.bytes = bytes.count
        tensor.row_bytes = format.rowBytes
        tensor.channels = Int32(
            (format.isBGRA ? TALLY_CHANNELS_BGRA : TALLY_CHANNELS_RGB).rawValue)
        try check(
            tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox),
            tally_preprocessor_error(preprocessor))
    }

    private func decode(
        _ heads: [Head], _ letterbox: inout tally_letterbox, _ count: inout Int32
    ) throws(TallyLensError) {
        guard heads.count == metadata.strides.count else {
            throw .model(
                "the number of outputs is \(heads.count), by its metadata \(metadata.strides.count)")
        }
        let status = withUnsafeTemporaryAllocation(of: tally_head.self, capacity: heads.count) {
            native in
            for (i, head) in heads.enumerated() { native.initializeElement(at: i, to: self.native(head)) }
            return tally_decoder_run(
                decoder, native.baseAddress, Int32(heads.count), &letterbox, found.baseAddress,
                Int32(found.count), &count)
        }
        try check(status, tally_decoder_error(decoder))
    }

    private func native(_ head: Head) -> tally_head {
        let shape = metadata.headShape(head.index)
        var native = tally_head()
        native.struct_size = UInt32(MemoryLayout<tally_head>.size)
        native.dtype = head.type.rawValue
        native.layout = head.layout.rawValue
        native.width = Int32(shape.width)
        native.height = Int32(shape.height)
        native.stride = Int32(metadata.strides[head.index])
        native.scale = head.scale
        native.zero_point = Int32(head.zeroPoint)
        native.data = head.bytes.baseAddress
        native.bytes = head.bytes.count
        native.anchors = UnsafePointer(anchors[head.index].baseAddress)
        native.num_anchors = Int32(anchors[head.index].count / 2)
        native.row_stride = Int64(head.strides.row)
        native.column_stride = Int64(head.strides.column)
        native.channel_stride = Int64(head.strides.channel)
        return native
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
