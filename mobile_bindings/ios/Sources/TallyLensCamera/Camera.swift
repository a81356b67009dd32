#if canImport(AVFoundation)
import AVFoundation
import Foundation
import TallyLens

/// The camera as the source of a counter in `RunningMode.liveStream`.
///
/// Every frame is offered with its presentation time and its rotation; frames that the system lost are
/// counted with their reason. The device's temperature goes to the counter's governor.
public final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, Sendable {
    /// For a preview layer.
    public let session = AVCaptureSession()
    private let counter: Counter
    private let rotation: Int
    private let queue = DispatchQueue(label: "tallylens.camera", qos: .userInteractive)

    /// A camera that counts with `counter`.
    ///
    /// - Parameter rotation: clockwise turn that makes the sensor's picture upright: 90 for a phone that
    ///   is held upright.
    public init(counter: Counter, rotation: Int = 90) {
        self.counter = counter
        self.rotation = rotation
        super.init()
    }

    /// Ask for permission, configure the camera on the back, and start. Returns once frames flow.
    public func start(preset: AVCaptureSession.Preset = .hd1280x720) async throws {
        try counter.checkLiveStream()
        guard await AVCaptureDevice.requestAccess(for: .video) else {
            throw TallyLensError(
                .usage, "the camera may not be used", "Allow it in Settings > Privacy > Camera")
        }
        try configure(preset)
        counter.thermalStateChanged(ThermalState(ProcessInfo.processInfo.thermalState))
        session.startRunning()
    }

    /// Stop the camera.
    public func stop() { session.stopRunning() }

    /// Tell the counter the temperature until the task is cancelled: `Task { await camera.followHeat() }`.
    public func followHeat() async {
        let changes = NotificationCenter.default.notifications(
            named: ProcessInfo.thermalStateDidChangeNotification)
        for await _ in changes.map({ _ in () }) {
            counter.thermalStateChanged(ThermalState(ProcessInfo.processInfo.thermalState))
        }
    }

    /// Save the count when the camera is interrupted (a call, another app), until the task is cancelled.
    public func saveOnInterruption(to file: StateFile) async {
        let interruptions = NotificationCenter.default.notifications(
            named: AVCaptureSession.wasInterruptedNotification)
        for await _ in interruptions.map({ _ in () }) { try? file.save(counter) }
    }

    private func configure(_ preset: AVCaptureSession.Preset) throws {
        session.beginConfiguration()
        defer { session.commitConfiguration() }
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .back)
        else { throw TallyLensError(.usage, "there is no camera", "Use a device with a camera") }
        let input = try AVCaptureDeviceInput(device: device)
        let output = AVCaptureVideoDataOutput()
        output.videoSettings = [
            kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_420YpCbCr8BiPlanarFullRange
        ]
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        guard session.canAddInput(input), session.canAddOutput(output) else {
            throw TallyLensError(.usage, "the camera is in use", "Close what uses it")
        }
        session.sessionPreset = preset
        session.addInput(input)
        session.addOutput(output)
    }

    /// A frame came; part of `AVCaptureVideoDataOutputSampleBufferDelegate`.
    public func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer,
        from connection: AVCaptureConnection
    ) {
        guard let buffer = CMSampleBufferGetImageBuffer(sampleBuffer) else {
            return counter.cameraDropped(Drops(failed: 1))
        }
        let time = CMSampleBufferGetPresentationTimeStamp(sampleBuffer)
        // The buffer is retained by the frame, and nobody writes to it any more.
        nonisolated(unsafe) let frame = try? Frame(buffer, rotation: rotation)
        guard let frame else { return counter.cameraDropped(Drops(failed: 1)) }
        counter.submit(frame, at: Timestamp(seconds: CMTimeGetSeconds(time)))
    }

    /// The system lost a frame; part of `AVCaptureVideoDataOutputSampleBufferDelegate`.
    public func captureOutput(
        _ output: AVCaptureOutput, didDrop sampleBuffer: CMSampleBuffer,
        from connection: AVCaptureConnection
    ) {
        let reason = CMGetAttachment(
            sampleBuffer, key: kCMSampleBufferAttachmentKey_DroppedFrameReason,
            attachmentModeOut: nil)
        let isLate = (reason as? String) == kCMSampleBufferDroppedFrameReason_FrameWasLate as String
        // Out of buffers, or a gap: the camera was too busy.
        counter.cameraDropped(isLate ? Drops(late: 1) : Drops(busy: 1))
    }
}

extension ThermalState {
    /// The state as the system tells it.
    public init(_ state: ProcessInfo.ThermalState) {
        switch state {
        case .fair: self = .fair
        case .serious: self = .serious
        case .critical: self = .critical
        default: self = .nominal
        }
    }
}
#endif
