import CTally
import Dispatch

/// A frame and what was found in it.
struct SeenFrame: Sendable {
    var found: [tally_detection]
    /// Of the upright frame.
    var width: Int
    var height: Int
    /// When its detection began, and how much of it was inference on the device.
    var start: UInt64
    var inferenceNanos: UInt64
}

/// Detects the frames of a counter with a server, one after the other. It has a lock of its own, so that
/// nobody who reads the counter's totals waits for an answer.
final class OffloadingDetector: Sendable {
    let status: OffloadStatus
    private let offloader: Guarded<Offloader>

    /// - Parameter local: the device's own model, which nobody else uses.
    init(_ options: CounterOptions, _ local: Detector?) throws(TallyLensError) {
        guard let local, let offload = options.offload, options.runningMode != .image else {
            throw .usage(
                "offload needs a counter with a model of its own, for a video or a live stream",
                "Leave CounterOptions.offload out, or ask the server with CloudDetector")
        }
        let offloader = try Offloader(
            offload, live: options.runningMode == .liveStream, local: local)
        status = offloader.status
        self.offloader = Guarded(offloader)
    }

    /// Detect a frame, and count it with `count` before the next one is detected.
    func detect<R: Sendable>(
        _ frame: borrowing Frame, count: (SeenFrame) throws(TallyLensError) -> R
    ) throws(TallyLensError) -> R {
        let frame = copy frame
        return try offloader.use { (offloader) throws(TallyLensError) in
            let start = DispatchTime.now().uptimeNanoseconds
            let found = try offloader.detect(frame)
            return try count(
                SeenFrame(
                    found: found, width: frame.uprightWidth, height: frame.uprightHeight,
                    start: start, inferenceNanos: offloader.inferenceNanos))
        }
    }

    /// A frame that waits for the server's answer is detected on the device, at once; return when it is
    /// counted.
    func close() {
        status.client.close(waiting: 0)
        offloader.use { _ in }
    }
}
