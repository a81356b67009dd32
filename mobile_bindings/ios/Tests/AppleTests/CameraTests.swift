import AVFoundation
import Foundation
import TallyLens
import TallyLensCamera
import XCTest

/// An engine that finds nothing.
private struct NoEngine: Engine {
    let metadata: ModelMetadata
    let name = "none"

    func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        var input = [UInt8](repeating: 0, count: 32 * 32 * 3)
        try input.withUnsafeMutableBytes {
            try body($0, TensorFormat(type: .uint8, width: 32, height: 32))
        }
        try [Float](repeating: -20, count: 6).withUnsafeBytes {
            try heads([Head(index: 0, type: .float32, bytes: $0)])
        }
    }
}

/// The camera over the stubs of AVFoundation: every branch but Apple's.
final class CameraTests: XCTestCase {
    override func setUp() {
        AVCaptureDevice.isAllowed = true
        AVCaptureDevice.device = AVCaptureDevice()
        ProcessInfo.state = .nominal
    }

    private func counter() throws -> Counter {
        let document = """
            {"format_version": 1, "input_size": [32, 32], "colour_order": "RGB",
             "quantization": "none", "class_names": ["a"], "strides": [32],
             "anchors": [[[10, 10]]], "head_names": ["h"], "layout": "NHWC",
             "source_name": "n", "source_sha256": "",
             "weights_licence": "", "passes": []}
            """
        var options = CounterOptions()
        options.runningMode = .liveStream
        let metadata = try ModelMetadata(document: Data(document.utf8))
        return try Counter(engine: NoEngine(metadata: metadata), options: options)
    }

    private func buffer(_ format: OSType) -> CVPixelBuffer {
        var made: CVPixelBuffer?
        CVPixelBufferCreate(nil, 64, 48, format, nil, &made)
        return made!
    }

    private func give(_ camera: Camera, _ buffer: CVPixelBuffer?, _ value: Int64) {
        let sample = CMSampleBuffer(buffer, CMTime(value: value, timescale: 30))
        camera.captureOutput(AVCaptureOutput(), didOutput: sample, from: AVCaptureConnection())
    }

    private func settle(_ counter: Counter, _ total: Int) async throws -> CountReport {
        for _ in 0..<500 {
            let report = counter.report
            if report.frames + report.dropped + report.skipped == total { return report }
            try await Task.sleep(nanoseconds: 10_000_000)
        }
        return counter.report
    }

    func testFramesOfAllFormatsAreCountedAndDropsAreTold() async throws {
        let counter = try counter()
        let camera = Camera(counter: counter)
        try await camera.start()
        XCTAssertTrue(camera.session.isRunning)
        let output = camera.session.outputs[0] as! AVCaptureVideoDataOutput
        XCTAssertTrue(output.alwaysDiscardsLateVideoFrames)
        XCTAssertTrue(output.delegate === camera)
        let formats = [
            kCVPixelFormatType_420YpCbCr8BiPlanarFullRange,
            kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange, kCVPixelFormatType_32BGRA,
        ]
        for (i, format) in formats.enumerated() {
            give(camera, buffer(format), Int64(i + 1))
            _ = try await settle(counter, i + 1)
        }
        give(camera, buffer(0x1234), 8)  // unknown
        let timeless = CMSampleBuffer(buffer(formats[0]), CMTime(value: 0, timescale: 0))
        camera.captureOutput(AVCaptureOutput(), didOutput: timeless, from: AVCaptureConnection())
        give(camera, nil, 9)
        for reason in [
            kCMSampleBufferDroppedFrameReason_FrameWasLate,
            kCMSampleBufferDroppedFrameReason_OutOfBuffers,
        ] {
            let lost = CMSampleBuffer(nil, CMTime(value: 10, timescale: 30), dropped: reason)
            camera.captureOutput(AVCaptureOutput(), didDrop: lost, from: AVCaptureConnection())
        }
        let report = try await settle(counter, 8)
        XCTAssertEqual(report.frames, 3)
        XCTAssertEqual(report.dropped, 5)
        XCTAssertNil(counter.lastError)
        camera.stop()
        XCTAssertFalse(camera.session.isRunning)
    }

    func testBuffersAreUnlockedOnceTheyAreRead() async throws {
        let counter = try counter()
        let camera = Camera(counter: counter)
        let here = buffer(kCVPixelFormatType_32BGRA)
        give(camera, here, 1)
        _ = try await settle(counter, 1)
        for _ in 0..<100 where here.locks != 0 { try await Task.sleep(nanoseconds: 10_000_000) }
        XCTAssertEqual(here.locks, 0)
    }

    func testWhatCannotStartIsRefused() async throws {
        let camera = Camera(counter: try counter())
        AVCaptureDevice.isAllowed = false
        await refused(camera, "may not be used")
        AVCaptureDevice.isAllowed = true
        AVCaptureDevice.device = nil
        await refused(camera, "no camera")
        AVCaptureDevice.device = AVCaptureDevice()
        camera.session.isFull = true
        await refused(camera, "in use")
        let video = Camera(counter: try Counter(classNames: ["a"]))
        await refused(video, "submit needs the running mode liveStream, not video")
    }

    private func refused(_ camera: Camera, _ text: String) async {
        do {
            try await camera.start()
            XCTFail("started")
        } catch {
            XCTAssertTrue("\(error)".contains(text), "\(error)")
        }
    }

    func testHeatGoesToTheGovernor() async throws {
        let counter = try counter()
        let camera = Camera(counter: counter)
        ProcessInfo.state = .fair
        try await camera.start()
        XCTAssertEqual(counter.level.rate, 1)
        let task = Task { await camera.followHeat() }
        for (state, paused) in [
            (ProcessInfo.ThermalState.serious, false), (.critical, true), (.nominal, false),
        ] {
            ProcessInfo.state = state
            for _ in 0..<100 {
                NotificationCenter.default.post(
                    name: ProcessInfo.thermalStateDidChangeNotification, object: nil)
                try await Task.sleep(nanoseconds: 10_000_000)
                if counter.level.paused == paused && counter.level.rate > 1 { break }
            }
            XCTAssertEqual(counter.level.rate, 4)
            XCTAssertEqual(counter.level.paused, paused)
        }
        task.cancel()
        await task.value
    }

    func testTheStateIsSavedOnInterruption() async throws {
        let counter = try counter()
        let camera = Camera(counter: counter)
        give(camera, buffer(kCVPixelFormatType_32BGRA), 1)
        _ = try await settle(counter, 1)
        let file = StateFile(
            FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString))
        let other = try self.counter()
        XCTAssertFalse(try file.restore(other))
        let task = Task { await camera.saveOnInterruption(to: file) }
        for _ in 0..<100 where !FileManager.default.fileExists(atPath: file.url.path) {
            NotificationCenter.default.post(
                name: AVCaptureSession.wasInterruptedNotification, object: nil)
            try await Task.sleep(nanoseconds: 10_000_000)
        }
        XCTAssertTrue(try file.restore(other))
        XCTAssertEqual(other.report.frames, 1)
        task.cancel()
        await task.value
    }
}
