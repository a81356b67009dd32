/// A frame of a video with its capture time.
public typealias TimedFrame = (frame: Frame, time: Timestamp)

extension Counter {
    /// Count all frames of a video (`RunningMode.video`), in order; the same as `count` for each. An
    /// engine that can run two inferences at a time (Core ML of iOS 17) works on the next frame
    /// meanwhile, which is up to twice as fast. Returns when all are counted; call it on a thread that
    /// may wait, and give this counter an engine of its own.
    ///
    /// - Parameters:
    ///   - next: the next frame, or nil at the end; nobody may change its memory until it is counted.
    ///   - update: receives what each frame gave.
    /// - Throws: `TallyLensError` of the first frame that cannot be counted, or what `next` or `update`
    ///   throw; the frames before are counted.
    public func countAll(
        _ next: () throws -> TimedFrame?, update: (CountUpdate) throws -> Void = { _ in }
    ) throws {
        if asksServer {
            while let (frame, time) = try next() { try update(try count(frame, at: time)) }
            return
        }
        let pipeline = try videoPipeline()
        defer { pipeline.finish() }
        while let (frame, time) = try next() {
            pipeline.start(frame, time)
            if pipeline.isFull, let job = pipeline.next() { try update(try count(job)) }
        }
        while let job = pipeline.next() { try update(try count(job)) }
    }
}
