import Foundation

/// What became of a frame that was offered.
public enum Admission: Sendable, Hashable {
    /// It is counted, unless a newer one replaces it while it waits.
    case accepted
    /// It is not counted, which the next update and the report tell.
    case dropped(Reason)

    /// Why a frame was dropped at once.
    public enum Reason: Sendable, Hashable {
        /// Not later than the frame before.
        case late
        /// To keep the rate, the budget or the temperature; the core's name of the reason.
        case governor(String)
        /// The counter is closed.
        case closed
        /// The counter is of another running mode; `Counter.lastError` says so.
        case runningMode
    }
}

/// Counts objects in images, in every frame of a video, or in a camera's frames as they come.
///
/// All methods may be called from any thread; frames are counted one after the other.
public final class Counter: Sendable {
    /// What is shared between threads, behind one lock.
    struct Shared {
        var session: Session?
        var told = Drops()
        var lastError: TallyLensError?
    }

    private let mode: RunningMode
    private let shared: Guarded<Shared>
    private let governor: Guarded<Governor>
    private let slots = UpdateSlots()
    private let live: LiveQueue?
    private let offloading: OffloadingDetector?
    /// The engine, and the decoder's overlap, of a counter with a model.
    private let video: (engine: any Engine, iou: Float?)?

    /// A counter that detects with `engine`.
    public convenience init(
        engine: any Engine, options: CounterOptions = CounterOptions(), modelName: String = ""
    ) throws(TallyLensError) {
        let detector = try Detector(
            engine, iou: options.iou, fitsFrames: options.runningMode != .image)
        try self.init(engine.metadata.classNames, modelName, options, detector)
    }

    /// A counter of detections that another detector gives, see `count(_:width:height:at:)`.
    public convenience init(
        classNames: [String], options: CounterOptions = CounterOptions()
    ) throws(TallyLensError) {
        if classNames.isEmpty {
            throw .usage("there are no class names", "Name each class id")
        }
        try self.init(classNames, "", options, nil)
    }

    private init(
        _ classNames: [String], _ modelName: String, _ options: CounterOptions, _ detector: Detector?
    ) throws(TallyLensError) {
        mode = options.runningMode
        video = detector.map { ($0.engine, options.iou) }
        let session = try Session(
            classNames, modelName: modelName, options: options, detector: detector)
        let offloading =
            options.offload == nil ? nil : try OffloadingDetector(options, detector)
        self.offloading = offloading
        let shared = Guarded(Shared(session: session))
        let governor = Guarded(
            try Governor(
                maxFPS: options.maxFPS ?? 0, budgetMilliseconds: options.budget?.milliseconds ?? 0))
        self.shared = shared
        self.governor = governor
        guard options.runningMode == .liveStream else {
            live = nil
            return
        }
        let slots = slots
        live = LiveQueue { time in
            governor.use { try? $0.refusal(time) }
        } process: { job, queue in
            Counter.process(job, queue, shared, governor, slots, offloading)
        }
    }

    deinit { close() }

    /// The objects in a single image (`RunningMode.image`), in pixels of the upright image.
    public func detect(_ frame: borrowing Frame) throws(TallyLensError) -> [Detection] {
        try require(.image, "detect")
        let frame = copy frame
        return try use { (shared, session) throws(TallyLensError) in try session.detect(frame) }
    }

    /// Count one frame of a video (`RunningMode.video`); give every frame, in order.
    public func count(
        _ frame: borrowing Frame, at time: Timestamp
    ) throws(TallyLensError) -> CountUpdate {
        try require(.video, "count")
        let frame = copy frame
        guard let offloading else {
            return try counted(time, .now) { (session) throws(TallyLensError) in
                try session.count(frame, time.nanoseconds)
            }
        }
        let started = ContinuousClock.now
        try use { _, _ in }
        return try offloading.detect(frame) { (seen) throws(TallyLensError) in
            try self.counted(time, started) { (session) throws(TallyLensError) in
                try session.count(seen, time.nanoseconds)
            }
        }
    }

    /// Count the detections of another detector in one frame (`RunningMode.video`).
    ///
    /// - Parameters:
    ///   - width: of the frame in pixels; the same for all frames.
    ///   - height: of the frame in pixels; the same for all frames.
    public func count(
        _ detections: [Detection], width: Int, height: Int, at time: Timestamp
    ) throws(TallyLensError) -> CountUpdate {
        try require(.video, "count")
        return try counted(time, .now) { (session) throws(TallyLensError) in
            try session.count(detections, width: width, height: height, time.nanoseconds)
        }
    }

    /// Whether a server may detect in the frames.
    var asksServer: Bool { offloading != nil }

    /// For `countAll`.
    func videoPipeline() throws(TallyLensError) -> VideoPipeline {
        try require(.video, "countAll")
        guard let video else { throw .noModel }
        return try VideoPipeline(video.engine, iou: video.iou)
    }

    /// Count what `countAll` found in a frame.
    func count(_ job: VideoPipeline.Job) throws(TallyLensError) -> CountUpdate {
        let seen = try job.seen()
        return try counted(job.time, job.arrived) { (session) throws(TallyLensError) in
            try session.count(seen, job.time.nanoseconds)
        }
    }

    private func counted(
        _ time: Timestamp, _ started: ContinuousClock.Instant,
        _ count: (Session) throws(TallyLensError) -> FrameOutcome
    ) throws(TallyLensError) -> CountUpdate {
        let level = level
        return try use { (shared, session) throws(TallyLensError) in
            CountUpdate(
                time, try count(session), Drops(), level, started.duration(to: .now))
        }
    }

    /// Offer a camera's frame (`RunningMode.liveStream`) and return at once.
    ///
    /// One frame is in work and one waits; a newer one replaces the one that waits. The owner of the
    /// frame's memory is retained until then.
    @discardableResult
    public func submit(_ frame: sending Frame, at time: Timestamp) -> Admission {
        guard let live else {
            shared.use { $0.lastError = Counter.otherMode(.liveStream, mode, "submit") }
            return .dropped(.runningMode)
        }
        return live.offer(frame, time.nanoseconds)
    }

    /// Throws unless frames can be submitted: `CounterOptions.runningMode` is `.liveStream`.
    public func checkLiveStream() throws(TallyLensError) { try require(.liveStream, "submit") }

    /// Tell of frames that the camera lost before they could be offered: they count as dropped.
    public func cameraDropped(_ frames: Drops) { live?.lost(frames) }

    /// Updates of a live stream, one for each frame that was counted. A reader that is slower than the
    /// frames gets the newest, with all events and drops since the update before. Each use is a stream
    /// of its own.
    public var updates: AsyncStream<CountUpdate> { slots.stream() }

    /// The totals after the last frame that was counted.
    public var report: CountReport {
        let drops = live?.drops
        let report = shared.use { shared -> CountReport? in
            try? shared.session?.report(drops ?? shared.told)
        }
        guard var report else { return CountReport(source: "", model: "", engine: "") }
        if let status = offloading?.status {
            report.warnings += status.warnings
            report.offload = try? status.report()
        }
        return report
    }

    /// The video has ended: count what is past a line and moves on; the events of that.
    @discardableResult
    public func conclude() throws(TallyLensError) -> [CountEvent] {
        try use { (shared, session) throws(TallyLensError) in try session.conclude() }
    }

    /// End a period: all totals restart from zero; objects are kept and not counted again.
    public func reset() throws(TallyLensError) {
        try use { (shared, session) throws(TallyLensError) in try session.reset() }
    }

    /// Everything that the counter knows, in about 1 to 3 KB.
    public func saveState() throws(TallyLensError) -> Data {
        let drops = live?.drops
        return try use { (shared, session) throws(TallyLensError) in
            try session.save(drops ?? shared.told)
        }
    }

    /// Go on from what `saveState` gave, here or on Android, with the same model, options and regions.
    /// If it is refused, the counter is as it was.
    public func restoreState(_ data: Data) throws(TallyLensError) {
        let live = live
        try use { (shared, session) throws(TallyLensError) in
            shared.told = try session.restore(data)
            live?.resume(shared.told)
        }
    }

    /// The device's temperature, see `ProcessInfo.thermalState`.
    public func thermalStateChanged(_ state: ThermalState) {
        governor.use { governor in
            // The core takes every state of the enumeration.
            try? governor.setThermal(state.rawValue)
        }
    }

    /// The governor's level in force.
    public var level: Level { governor.use { $0.level } }

    /// Why the last frame of a live stream could not be counted; nil if all could.
    public var lastError: TallyLensError? { shared.use { $0.lastError } }

    /// Waits for the frame in work; the one that waits is dropped. Later calls throw
    /// `TallyLensError.Kind.closed`; so does a counter that is no longer referenced, by itself.
    public func close() {
        live?.close()
        offloading?.close()
        shared.use { $0.session = nil }
        slots.end()
    }

    /// Wait for the frames that were accepted; of tests.
    func drain() { live?.drain() }

    private func use<R: Sendable>(
        _ body: (inout Shared, Session) throws(TallyLensError) -> R
    ) throws(TallyLensError) -> R {
        try shared.use { (shared) throws(TallyLensError) in
            guard let session = shared.session else {
                throw TallyLensError(.closed, "the counter is closed", "Make another")
            }
            return try body(&shared, session)
        }
    }

    private func require(_ wanted: RunningMode, _ method: String) throws(TallyLensError) {
        if mode != wanted { throw Counter.otherMode(wanted, mode, method) }
    }

    private static func otherMode(
        _ wanted: RunningMode, _ mode: RunningMode, _ method: String
    ) -> TallyLensError {
        .usage(
            "\(method) needs the running mode \(wanted), not \(mode)",
            "Choose it with CounterOptions.runningMode")
    }
}
