import CTally
import Dispatch
import Foundation

/// What one frame gave, before the counter adds drops and level.
struct FrameOutcome: Sendable {
    var detections: [Detection]
    var tracks: [Track]
    var events: [CountEvent]
}

/// One count: frames or detections to totals and a report. Not thread-safe.
final class Session {
    private let counting: Counting
    private let modelName: String
    private let source: String
    private let detector: Detector?
    private var totals: Totals?
    private var frames = 0
    private var timing = Timing()

    /// - Parameter detector: nil for a count of detections that are given.
    init(
        _ classNames: [String], modelName: String, options: CounterOptions, detector: Detector?
    ) throws(TallyLensError) {
        try options.check()
        counting = Counting(
            classNames: classNames, lines: options.lines, zones: options.zones,
            classes: options.classes, anyClass: options.anyClass,
            tracking: try options.thresholds(), filter: options.filter)
        self.modelName = modelName
        source = options.source
        self.detector = detector
        // Refused at once, not with the first frame.
        _ = try ClassFilter(classNames, options.anyClass ? nil : options.classes)
    }

    func detect(_ frame: borrowing Frame) throws(TallyLensError) -> [Detection] {
        try model().detect(frame).map { Detection($0) }
    }

    func count(_ frame: borrowing Frame, _ time: Int64) throws(TallyLensError) -> FrameOutcome {
        try checkTime(time)
        let model = try model()
        let totals = try totals(frame.uprightWidth, frame.uprightHeight)
        let start = DispatchTime.now().uptimeNanoseconds
        let outcome = try count(try model.detect(frame), time, totals)
        timing.add(start, inference: model.inferenceNanos)
        return outcome
    }

    /// Count a frame whose detections are known already.
    func count(_ seen: SeenFrame, _ time: Int64) throws(TallyLensError) -> FrameOutcome {
        try checkTime(time)
        let totals = try totals(seen.width, seen.height)
        let outcome = try count(seen.found, time, totals)
        timing.add(seen.start, inference: seen.inferenceNanos)
        return outcome
    }

    func count(
        _ detections: [Detection], width: Int, height: Int, _ time: Int64
    ) throws(TallyLensError) -> FrameOutcome {
        try checkTime(time)
        try check(detections)
        let totals = try totals(width, height)
        let start = DispatchTime.now().uptimeNanoseconds
        let native = detections.map {
            tally_detection(
                x1: $0.x1, y1: $0.y1, x2: $0.x2, y2: $0.y2, confidence: $0.confidence,
                class_id: Int32($0.classID))
        }
        let outcome = try count(native, time, totals)
        timing.add(start, inference: 0)
        return outcome
    }

    private func count(
        _ found: [tally_detection], _ time: Int64, _ totals: Totals
    ) throws(TallyLensError) -> FrameOutcome {
        do {
            return try found.withUnsafeBufferPointer { try self.count($0, time, totals) }
        } catch {
            throw .wrapping(error)
        }
    }

    private func count(
        _ found: UnsafeBufferPointer<tally_detection>, _ time: Int64, _ totals: Totals
    ) throws(TallyLensError) -> FrameOutcome {
        let (tracks, events) = try totals.add(time, found)
        frames += 1
        return FrameOutcome(detections: totals.wanted(found), tracks: tracks, events: events)
    }

    func conclude() throws(TallyLensError) -> [CountEvent] { try totals?.conclude() ?? [] }

    func reset() throws(TallyLensError) { try totals?.reset() }

    private func model() throws(TallyLensError) -> Detector {
        guard let detector else { throw .noModel }
        return detector
    }

    private func totals(_ width: Int, _ height: Int) throws(TallyLensError) -> Totals {
        guard let here = totals else {
            let made = try Totals(counting, width: width, height: height)
            totals = made
            return made
        }
        if here.width != width || here.height != height {
            throw .usage(
                "a frame is \(width)x\(height), the frames before were \(here.width)x\(here.height)",
                "Count frames of one size with a counter; make another for another size")
        }
        return here
    }

    private func checkTime(_ time: Int64) throws(TallyLensError) {
        if abs(time == .min ? .max : time) >= 1 << 62 {
            throw .usage("the timestamp is \(time) ns", "Give nanoseconds since an epoch")
        }
    }

    private func check(_ detections: [Detection]) throws(TallyLensError) {
        for one in detections {
            let problem: String
            if ![one.x1, one.y1, one.x2, one.y2].allSatisfy(\.isFinite) || one.x1 > one.x2
                || one.y1 > one.y2
            {
                problem = "a box is not finite, with left <= right and top <= bottom"
            } else if !(one.confidence >= 0 && one.confidence <= 1) {
                problem = "a confidence is not from 0 to 1"
            } else if !counting.classNames.indices.contains(one.classID) {
                problem = "a class id is not from 0 to \(counting.classNames.count - 1)"
            } else {
                continue
            }
            throw .usage(
                "these detections cannot be counted: \(problem)", "Use boxes in pixels of the frame")
        }
    }

    func report(_ drops: Drops) throws(TallyLensError) -> CountReport {
        var report = CountReport(
            source: source, model: modelName, engine: detector?.engine.name ?? "")
        report.frames = frames
        report.speed = timing.speed
        report.dropped = drops.busy + drops.late + drops.failed
        report.skipped = drops.governor
        report.warnings = detector?.engine.warning.map { [$0] } ?? []
        guard let here = totals else {
            report.warnings.append("no frame was read")
            return report
        }
        let facts = try here.counter.diagnostics()
        report.seconds = here.seconds
        report.unique = try here.unique()
        report.lines = try here.lines()
        report.zones = try here.zones()
        report.occupancy = try here.present()
        report.warnings += try here.explanations()
        report.uncounted = Uncounted(
            weakDetections: Int(facts.below_low_confidence),
            shortTracks: Int(facts.unconfirmed_tracks),
            longestShortTrackSeconds: Double(facts.longest_unconfirmed_s),
            otherClasses: here.filter.unwanted(try here.counter.detected()),
            ignoredDetections: Int(facts.ignored))
        report.filters = here.ignored
        report.uniqueRange = try here.uniqueRange()
        return report
    }

    func save(_ drops: Drops) throws(TallyLensError) -> Data {
        guard let here = totals else {
            throw TallyLensError(
                .state, "nothing has been counted yet", "Save the state after the first frame")
        }
        return try SavedState(
            width: here.width, height: here.height, classNames: here.classNames, frames: frames,
            drops: drops, totals: here
        ).encoded()
    }

    /// Go on from a saved count; the drops of that. Nothing is changed if it is refused.
    func restore(_ data: Data) throws(TallyLensError) -> Drops {
        let saved = try SavedState(decoding: data)
        if saved.classNames != (counting.anyClass ? ["object"] : counting.classNames) {
            throw .state("it is of a model with other classes")
        }
        let restored: Totals
        do {
            restored = try Totals(counting, width: saved.width, height: saved.height)
        } catch {
            throw .state("it is of frames of another size")
        }
        try restored.counter.restore(saved.core)
        try restored.counter.restore(saved.returns)
        restored.first = saved.first
        restored.last = saved.last
        try restored.counter.restore(saved.withheld)
        try restored.occupancy.restore(width: saved.binSeconds, saved.bins)
        totals = restored
        frames = saved.frames
        return saved.drops
    }
}

/// Times of the frames that this process counted.
private struct Timing {
    private var frames = 0
    private var first: UInt64 = 0
    private var last: UInt64 = 0
    private var inference: UInt64 = 0
    private var host: UInt64 = 0

    mutating func add(_ start: UInt64, inference nanos: UInt64) {
        if frames == 0 { first = start }
        frames += 1
        last = DispatchTime.now().uptimeNanoseconds
        inference += nanos
        host += last - start - nanos
    }

    var speed: Speed {
        if frames == 0 { return Speed() }
        return Speed(
            fps: Double(frames) / max(Double(last - first) / 1e9, 1e-9),
            inferenceMs: Double(inference) / 1e6 / Double(frames),
            hostMs: Double(host) / 1e6 / Double(frames))
    }
}
