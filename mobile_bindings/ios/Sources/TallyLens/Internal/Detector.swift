import CTally
import Dispatch

/// A model's engine with letterbox before it and decoding after it. Not thread-safe.
final class Detector {
    /// The engine that was given; what runs the frames is `fitted` to them.
    let engine: any Engine
    /// Nanoseconds of the last frame: inference, and what is around it.
    private(set) var inferenceNanos: UInt64 = 0
    private(set) var hostNanos: UInt64 = 0
    private let preprocessor: Preprocessor
    private let iou: Float?
    private let isConcurrent: Bool
    private var fitted: any Engine
    private var decoder: HeadDecoder
    /// Whether the input still has to be chosen.
    private var isUnfitted: Bool

    /// - Parameters:
    ///   - fitsFrames: the input gets the shape of the frames, which all have one size.
    ///   - isConcurrent: other detectors may use the engine at the same time.
    init(
        _ engine: any Engine, iou: Float?, fitsFrames: Bool, isConcurrent: Bool = false
    ) throws(TallyLensError) {
        self.engine = engine
        self.isConcurrent = isConcurrent
        self.iou = iou
        preprocessor = try Preprocessor()
        fitted = engine
        decoder = try Detector.decoder(engine.metadata, iou)
        isUnfitted = fitsFrames
    }

    private static func decoder(
        _ metadata: ModelMetadata, _ iou: Float?
    ) throws(TallyLensError) -> HeadDecoder {
        try HeadDecoder(metadata) { if let iou { $0.iou = iou } }
    }

    /// Choose the input for upright frames of this size.
    private func fit(_ width: Int, _ height: Int) throws(TallyLensError) {
        isUnfitted = false
        let best = engine.metadata.fittingInput(width, height)
        if best == engine.metadata.ownInput { return }
        do {
            guard let resized = try engine.resized(width: best.width, height: best.height) else {
                return
            }
            decoder = try Detector.decoder(resized.metadata, iou)
            fitted = resized
        } catch {
            throw .wrapping(error)
        }
    }

    /// The objects of one frame; valid until the next call.
    func detect(
        _ frame: borrowing Frame
    ) throws(TallyLensError) -> UnsafeBufferPointer<tally_detection> {
        if isUnfitted { try fit(frame.uprightWidth, frame.uprightHeight) }
        var letterbox = tally_letterbox()
        var found = UnsafeBufferPointer<tally_detection>(start: nil, count: 0)
        let image = frame.native
        let start = DispatchTime.now().uptimeNanoseconds
        var (written, inferred) = (start, start)
        do {
            let run = isConcurrent ? fitted.runConcurrently : fitted.run
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
