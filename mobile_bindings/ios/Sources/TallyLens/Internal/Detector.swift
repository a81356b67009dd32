import CTally
import Dispatch

/// A model's engine with letterbox before it and decoding after it. Not thread-safe.
final class Detector {
    let engine: any Engine
    /// Nanoseconds of the last frame: inference, and what is around it.
    private(set) var inferenceNanos: UInt64 = 0
    private(set) var hostNanos: UInt64 = 0
    private let preprocessor: Preprocessor
    private let decoder: HeadDecoder
    private let isConcurrent: Bool

    /// - Parameter isConcurrent: other detectors may use the engine at the same time.
    init(
        _ engine: any Engine, iou: Float?, isConcurrent: Bool = false
    ) throws(TallyLensError) {
        self.engine = engine
        self.isConcurrent = isConcurrent
        preprocessor = try Preprocessor()
        decoder = try HeadDecoder(engine.metadata) { if let iou { $0.iou = iou } }
    }

    /// The objects of one frame; valid until the next call.
    func detect(
        _ frame: borrowing Frame
    ) throws(TallyLensError) -> UnsafeBufferPointer<tally_detection> {
        var letterbox = tally_letterbox()
        var found = UnsafeBufferPointer<tally_detection>(start: nil, count: 0)
        let image = frame.native
        let start = DispatchTime.now().uptimeNanoseconds
        var (written, inferred) = (start, start)
        do {
            let run = isConcurrent ? engine.runConcurrently : engine.run
            try run({ bytes, format in
                letterbox = try self.preprocessor.run(image, into: bytes, format)
                written = DispatchTime.now().uptimeNanoseconds
            }, { heads in
                inferred = DispatchTime.now().uptimeNanoseconds
                found = try self.decoder.run(heads, letterbox)
            })
        } catch {
            throw .wrapping(error)
        }
        inferenceNanos = inferred - written
        hostNanos = DispatchTime.now().uptimeNanoseconds - start - inferenceNanos
        return found
    }
}
