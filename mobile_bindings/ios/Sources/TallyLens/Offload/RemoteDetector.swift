import CTally
import Dispatch
import Foundation

/// The server's model as a detector: a frame out, detections in the device's own terms back. Used by one
/// thread at a time; late answers come on another.
final class RemoteDetector {
    let client: CloudClient
    let late: Guarded<LateDetections>
    private let reader: FrameReader
    private let aim: (_ isSame: Bool) -> FrameEncoder.Aim
    private var encoder: FrameEncoder?
    /// What the encoder is for; a server that comes back may run another model.
    private var served: ServedModel?

    /// How long the frame that measures the link is waited for: an answer after it measures too.
    private static let probeSeconds = 2.0
    /// Share of the time until the deadline, less round trip and server, that sending may take.
    private static let transferShare = 0.5

    private struct ServedModel: Equatable {
        var digest: String
        var classes: [String]
        var width: Int
        var height: Int
        var frameBytes: Int64
    }

    init(_ options: OffloadOptions, live: Bool, classNames: [String]) throws(TallyLensError) {
        let late = Guarded(
            LateDetections(answers: try LateAnswers(), translation: ClassTranslation(classNames, options)))
        var settings = CloudClient.Settings(
            url: try streamURL(options.server), key: options.key, transport: options.transport)
        settings.onNotice = { notice in options.onNotice?(notice) }
        settings.onLate = { result, scale in
            late.use { late in
                // What the device's own model says later is no better than what it said at once.
                let found =
                    late.translation.isSame ? [] : late.translation.detections(result, scale)
                try? late.answers.note(found, MonotonicClock.now)
            }
        }
        self.late = late
        client = try CloudClient(settings)
        reader = try FrameReader()
        let sparing = options.mode == .auto
        aim = { isSame in sparing ? .sparing : isSame ? .exact : .best(live: live) }
    }

    /// Whether there was a welcome, so that frames can be encoded.
    var isReady: Bool {
        prepare()
        return encoder != nil
    }

    /// Whether the next frame cannot be encoded in fewer bytes.
    var isSmallest: Bool { encoder?.isSmallest ?? false }

    /// Expected seconds to the result of the next frame, 95th percentile; 0 if not known now.
    func expected(_ link: LinkFacts) throws(TallyLensError) -> Double {
        guard let encoder, link.estimate.measured != 0 else { return 0 }
        return try client.expected(bytes: encoder.expectedBytes)
    }

    /// Seconds per frame when many are sent; 0 where that is not known yet.
    func throughput(_ link: LinkFacts) -> Double {
        guard let encoder, link.estimate.bandwidth.mean > 0 else { return 0 }
        let transfer = Double(encoder.expectedBytes) / link.estimate.bandwidth.mean
        let alone = link.estimate.rtt.p95 + link.estimate.server.mean
        return max(transfer, alone / Double(max(1, link.inFlight)))
    }

    /// Make the encoder for the server's model, if it is another one than before.
    private func prepare() {
        guard let welcome = client.welcome else { return }
        let model = ServedModel(
            digest: welcome.digest, classes: welcome.classes, width: welcome.inputWidth,
            height: welcome.inputHeight, frameBytes: welcome.frameBytes)
        if model == served { return }
        served = model
        let (isSame, isUseful) = late.use { late in
            late.translation.served(model.classes, digest: model.digest)
            return (late.translation.isSame, late.translation.isUseful)
        }
        encoder = nil
        // Its answers would be empty, and count as frames without an object.
        if !isUseful { return }
        encoder = FrameEncoder(
            input: (model.width, model.height),
            maxBytes: Int(min(model.frameBytes, Int64(Wire.maxFrameBytes))), aim: aim(isSame))
    }

    /// The server's detections, or nil without a result before `until`. While the link is not measured,
    /// one frame measures it.
    func detect(
        _ frame: borrowing Frame, until: Double
    ) throws(TallyLensError) -> [tally_detection]? {
        let link = try client.facts()
        if link.estimate.measured != 0 {
            return try send(frame, link, until: until, isProbe: false)
        }
        if link.unanswered > 0 { return nil }
        let soon = min(until, MonotonicClock.now + RemoteDetector.probeSeconds)
        return try send(frame, link, until: soon, isProbe: true)
    }

    private func send(
        _ frame: borrowing Frame, _ link: LinkFacts, until: Double, isProbe: Bool
    ) throws(TallyLensError) -> [tally_detection]? {
        let estimate = link.estimate
        let now = MonotonicClock.now
        let time = until - now - estimate.busy_s - estimate.rtt.p95 - estimate.server.mean
        encoder?.adapt(
            bandwidth: estimate.bandwidth.mean, seconds: time * RemoteDetector.transferShare)
        guard let image = try encoder?.encode(frame, reader) else { return nil }
        let left = max(until - MonotonicClock.now, isProbe ? RemoteDetector.probeSeconds : 0.001)
        let mailbox = Mailbox()
        let sequence = client.submit(
            image, captureMicroseconds: Int64(now * 1e6), deadline: left, done: mailbox.put)
        guard let sequence else { return nil }
        guard case .result(let result)? = mailbox.wait(until - MonotonicClock.now) else {
            // A frame that measures the link does so while nobody waits for it.
            if isProbe { client.stopWaiting(sequence) } else { client.abandon(sequence) }
            return nil
        }
        return late.use { $0.translation.detections(result, image.scale) }
    }

    /// Give local detections the classes of late answers.
    func correct(_ found: inout [tally_detection]) throws(TallyLensError) {
        var corrected = found
        try late.use { (late) throws(TallyLensError) in
            try late.answers.apply(&corrected, MonotonicClock.now)
        }
        found = corrected
    }
}

/// Late answers, and what their classes are here.
struct LateDetections {
    let answers: LateAnswers
    fileprivate var translation: ClassTranslation

    /// The server's model knows none of the device's classes.
    var isForeign: Bool { translation.isForeign }
}

/// Detections of the server's model in the device's terms.
private struct ClassTranslation: Sendable {
    private let ours: [String: Int32]
    private let digest: String
    /// For each class of the server's model the device's id of that name; -1 without one.
    private var ids: [Int32] = []
    /// The server runs the device's own model, which knows nothing better.
    private(set) var isSame = false
    /// The server's model knows one of the device's classes.
    var isUseful: Bool { ids.contains { $0 >= 0 } }
    /// There was a server, whose model knows none of them.
    var isForeign: Bool { !ids.isEmpty && !isUseful }

    init(_ classNames: [String], _ options: OffloadOptions) {
        ours = Dictionary(
            classNames.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { $1 })
        digest = options.modelDigest.lowercased()
    }

    mutating func served(_ classes: [String], digest served: String) {
        ids = classes.map { ours[$0] ?? -1 }
        isSame = !digest.isEmpty && digest == served
    }

    /// A result in pixels of the device's frame, `scale` times those of the image; objects of classes
    /// that the device does not know are left out.
    func detections(_ result: FrameResult, _ scale: (x: Double, y: Double)) -> [tally_detection] {
        result.detections.compactMap { one in
            guard ids.indices.contains(one.classID), ids[one.classID] >= 0 else { return nil }
            return tally_detection(
                x1: Float(Double(one.x1) * scale.x), y1: Float(Double(one.y1) * scale.y),
                x2: Float(Double(one.x2) * scale.x), y2: Float(Double(one.y2) * scale.y),
                confidence: one.confidence, class_id: ids[one.classID])
        }
    }
}

/// Where one answer is put and waited for.
private final class Mailbox: Sendable {
    private let answer = Guarded<FrameAnswer?>(nil)
    private let arrived = DispatchSemaphore(value: 0)

    var put: @Sendable (FrameAnswer) -> Void {
        { one in
            self.answer.use { $0 = one }
            self.arrived.signal()
        }
    }

    func wait(_ seconds: Double) -> FrameAnswer? {
        _ = arrived.wait(timeout: .now() + max(0, seconds))
        return answer.use { $0 }
    }
}
