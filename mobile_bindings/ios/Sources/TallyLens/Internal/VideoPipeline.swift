import CTally
import Dispatch

/// Detects in the frames of a video, as many at a time as the engine can, and gives them back in order.
/// Used by one thread.
final class VideoPipeline {
    private let workers: [Worker]
    private var pending: [Job] = []
    private var turn = 0

    /// - Parameter iou: of the decoder; nil for the default.
    init(_ engine: any Engine, iou: Float?) throws(TallyLensError) {
        var made: [Worker] = []
        for _ in 0..<max(engine.concurrentRuns, 1) {
            made.append(Worker(try Detector(engine, iou: iou, fitsFrames: true, isConcurrent: true)))
        }
        workers = made
    }

    /// Whether a frame has to be taken before another is started.
    var isFull: Bool { pending.count >= workers.count }

    /// Start to detect in a frame, which nobody may change until it was taken.
    func start(_ frame: Frame, _ time: Timestamp) {
        let job = Job(frame, time)
        workers[turn].start(job)
        turn = (turn + 1) % workers.count
        pending.append(job)
    }

    /// The oldest frame, once it is ready; nil if there is none.
    func next() -> Job? {
        if pending.isEmpty { return nil }
        let job = pending.removeFirst()
        job.wait()
        return job
    }

    /// Wait for all frames that are under way.
    func finish() { while next() != nil {} }

    /// One frame on its way.
    ///
    /// `@unchecked Sendable`, because the frame is read by its worker only, between `start` and `wait`.
    final class Job: @unchecked Sendable {
        let frame: Frame
        let time: Timestamp
        let arrived = ContinuousClock.now
        private let done = DispatchSemaphore(value: 0)
        private var outcome: Result<SeenFrame, TallyLensError>?

        init(_ frame: Frame, _ time: Timestamp) {
            self.frame = frame
            self.time = time
        }

        func finish(_ outcome: Result<SeenFrame, TallyLensError>) {
            self.outcome = outcome
            done.signal()
        }

        func wait() { done.wait() }

        /// What was found, after `wait`; as if it had begun so late that it did not wait for its turn.
        func seen() throws(TallyLensError) -> SeenFrame {
            var seen = try outcome!.get()
            seen.start = DispatchTime.now().uptimeNanoseconds - seen.start
            return seen
        }
    }

    /// A detector with a thread of its own.
    ///
    /// `@unchecked Sendable`, because the detector is used on the queue only.
    private final class Worker: @unchecked Sendable {
        private let detector: Detector
        private let queue = DispatchQueue(label: "tallylens.video", qos: .userInitiated)

        init(_ detector: Detector) { self.detector = detector }

        func start(_ job: Job) {
            queue.async { job.finish(self.detect(job.frame)) }
        }

        /// `start` of what it returns is the time that the detection took.
        private func detect(_ frame: Frame) -> Result<SeenFrame, TallyLensError> {
            do {
                let found = Array(try detector.detect(frame))
                return .success(
                    SeenFrame(
                        found: found, width: frame.uprightWidth, height: frame.uprightHeight,
                        start: detector.inferenceNanos + detector.hostNanos,
                        inferenceNanos: detector.inferenceNanos))
            } catch {
                return .failure(error)
            }
        }
    }
}
