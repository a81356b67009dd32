import CTally

/// Raw heads of one model to detections: `tally_decoder`. Not thread-safe.
final class HeadDecoder {
    private let handle: OpaquePointer
    private let metadata: ModelMetadata
    private let anchors: [UnsafeMutableBufferPointer<Float>]
    private let found: UnsafeMutableBufferPointer<tally_detection>

    /// - Parameter change: of the core's default options.
    init(
        _ metadata: ModelMetadata, _ change: (inout tally_decoder_options) -> Void
    ) throws(TallyLensError) {
        self.metadata = metadata
        var options = tally_decoder_options()
        options.struct_size = UInt32(MemoryLayout<tally_decoder_options>.size)
        try check(tally_decoder_defaults(&options), nil)
        options.num_classes = Int32(metadata.classNames.count)
        change(&options)
        var made: OpaquePointer?
        try create { text, capacity in tally_decoder_create(&options, &made, text, capacity) }
        handle = made!
        found = .allocate(capacity: Int(options.max_detections))
        anchors = metadata.anchors.map { values in
            let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
            _ = memory.initialize(from: values)
            return memory
        }
    }

    deinit {
        tally_decoder_destroy(handle)
        found.deallocate()
        for memory in anchors { memory.deallocate() }
    }

    /// The objects in source pixels; valid until the next call.
    func run(
        _ heads: [Head], _ letterbox: tally_letterbox
    ) throws(TallyLensError) -> UnsafeBufferPointer<tally_detection> {
        guard heads.count == metadata.strides.count,
            heads.allSatisfy({ metadata.strides.indices.contains($0.index) })
        else {
            throw .model(
                "the number of outputs is \(heads.count), by its metadata \(metadata.strides.count)")
        }
        var letterbox = letterbox
        var count: Int32 = 0
        let status = withUnsafeTemporaryAllocation(of: tally_head.self, capacity: heads.count) {
            native in
            for (i, head) in heads.enumerated() {
                native.initializeElement(at: i, to: self.native(head))
            }
            return tally_decoder_run(
                handle, native.baseAddress, Int32(heads.count), &letterbox, found.baseAddress,
                Int32(found.count), &count)
        }
        try check(status, tally_decoder_error(handle))
        return UnsafeBufferPointer(rebasing: found[..<Int(count)])
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
        native.zero_point = Int32(clamping: head.zeroPoint)
        native.data = head.bytes.baseAddress
        native.bytes = head.bytes.count
        native.anchors = UnsafePointer(anchors[head.index].baseAddress)
        native.num_anchors = Int32(anchors[head.index].count / 2)
        native.reg_max = Int32(metadata.regMax)
        native.row_stride = Int64(head.strides.row)
        native.column_stride = Int64(head.strides.column)
        native.channel_stride = Int64(head.strides.channel)
        return native
    }
}
