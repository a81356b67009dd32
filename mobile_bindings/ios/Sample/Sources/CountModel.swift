import AVFoundation
import Foundation
import SwiftUI
import TallyLens
import TallyLensCamera
import TallyLensCoreML

/// The counter and the camera of the app, and what the view shows of them.
@MainActor
final class CountModel: ObservableObject {
    /// Upright pixels of the camera's pictures.
    static let frame = CGSize(width: 720, height: 1280)

    /// Objects in the picture.
    @Published private(set) var tracks: [Track] = []
    /// The totals.
    @Published private(set) var report: CountReport?
    /// What heat leaves.
    @Published private(set) var level = Level()
    /// What went wrong, and how the model runs.
    @Published private(set) var note = ""
    /// The line, in fractions of the picture.
    @Published private(set) var line = Line(0, 0.5, 1, 0.5, name: "line")
    /// For the preview.
    @Published private(set) var session: AVCaptureSession?

    private var engine: CoreMLEngine?
    private var counter: Counter?
    private var camera: Camera?
    private var work: [Task<Void, Never>] = []
    private let file = try? StateFile(named: "sample.count")

    /// Load the model and count until the app ends.
    func run() async {
        guard let url = Bundle.main.url(forResource: "yolov5n", withExtension: "mlpackage") else {
            note = "The app has no model: convert one and add yolov5n.mlpackage to Sample."
            return
        }
        do {
            let engine = try await CoreMLEngine.load(url)
            self.engine = engine
            note = try await engine.computePlan().map { "\($0)" } ?? engine.name
            try await start()
        } catch {
            note = "\(error)"
        }
    }

    /// Count at another height of the picture; the totals start again.
    func move(to height: Double) async {
        let height = min(max(height, 0.05), 0.95)
        line = Line(0, height, 1, height, name: "line")
        stop()
        do {
            try await start()
        } catch {
            note = "\(error)"
        }
    }

    /// Keep the count; the app may be ended at any time after this.
    func save() {
        guard let counter, counter.report.frames > 0 else { return }
        do {
            try file?.save(counter)
        } catch {
            note = "\(error)"
        }
    }

    private func start() async throws {
        guard let engine else { return }
        var options = CounterOptions()
        options.runningMode = .liveStream
        options.lines = [line]
        options.classes = ["person", "bicycle", "car", "motorcycle", "bus", "truck"]
        let counter = try Counter(engine: engine, options: options)
        // A count of another line is refused, and a new one starts.
        _ = try? file?.restore(counter)
        let camera = Camera(counter: counter)
        (self.counter, self.camera) = (counter, camera)
        try await camera.start()
        session = camera.session
        work = [
            Task { await camera.followHeat() },
            Task { [file] in if let file { await camera.saveOnInterruption(to: file) } },
            Task { await follow(counter) },
        ]
    }

    private func follow(_ counter: Counter) async {
        for await update in counter.updates {
            tracks = update.tracks
            level = update.level
            report = counter.report
        }
    }

    private func stop() {
        for task in work { task.cancel() }
        work = []
        camera?.stop()
        counter?.close()
        (tracks, report) = ([], nil)
    }
}
