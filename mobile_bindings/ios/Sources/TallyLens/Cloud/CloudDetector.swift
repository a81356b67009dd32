import Foundation

/// How an image is encoded.
public enum Codec: UInt8, Sendable {
    /// JPEG.
    case jpeg = 1
    /// WebP.
    case webP = 2
    /// BGR, 3 bytes per pixel, rows from top to bottom.
    case raw = 3
}

/// What became of a frame that a `CloudDetector` was asked for.
public enum CloudAnswer: Sendable {
    /// In pixels of the image as it was sent, with classes of the server's model.
    case detections([Detection])
    /// None: `late`, `busy`, `over_quota`, ... or `expired`. Go on without them.
    case none(reason: String)
}

/// Asks a server for the detections of frames over `tallylens.v1`, through lost connections; for apps
/// without a model. A `Counter` with `CounterOptions.offload` has both.
///
/// Each frame gets one answer, or is given up when its time is over.
public final class CloudDetector: Sendable {
    private let client: CloudClient

    /// A client of the server at `wss://host:port` (`ws://` to this machine only), which connects in the
    /// background.
    ///
    /// - Parameters:
    ///   - onAnswer: receives the capture time of each frame and its answer, on a queue of the client.
    ///   - onEnd: receives the reason if the server refuses this device for good.
    public init(
        server: String, key: Secret, transport: any Transport = URLSessionTransport(),
        onAnswer: @escaping @Sendable (Timestamp, CloudAnswer) -> Void,
        onEnd: @escaping @Sendable (TallyLensError) -> Void = { _ in }
    ) throws(TallyLensError) {
        try key.check()
        var settings = CloudClient.Settings(
            url: try streamURL(server), key: key, transport: transport)
        settings.resends = true
        settings.onEnd = onEnd
        client = try CloudClient(settings)
        self.onAnswer = onAnswer
        client.start()
    }

    private let onAnswer: @Sendable (Timestamp, CloudAnswer) -> Void

    deinit { client.close(waiting: 0) }

    /// How many more frames the server takes now; 0 without a connection.
    public var creditsLeft: Int { client.state.use { $0.session.creditsLeft } }

    /// Frames without an answer.
    public var inFlight: Int { client.state.use { $0.session.inFlight } }

    /// The class names of the server's model; empty before the first connection.
    public var classNames: [String] { client.welcome?.classes ?? [] }

    /// How many connections there were.
    public var connections: Int { client.state.use { $0.totals.connections } }

    /// Ask for the detections of an encoded image.
    ///
    /// - Parameters:
    ///   - width: of the image, which its own header has to agree with.
    ///   - time: names the frame in the answer.
    ///   - deadline: how long an answer is of use.
    /// - Returns: whether it was queued: false without a connection, or without a credit for it.
    /// - Throws: `TallyLensError` for an image that no server takes, or after the end.
    public func ask(
        _ image: Data, width: Int, height: Int, codec: Codec, at time: Timestamp, deadline: Duration
    ) throws(TallyLensError) -> Bool {
        try check(image, width, height, codec, deadline)
        let image = EncodedImage(data: image, width: width, height: height, codec: codec)
        let onAnswer = onAnswer
        let sequence = client.submit(
            image, captureMicroseconds: time.nanoseconds / 1000, deadline: deadline.seconds
        ) { answer in
            switch answer {
            case .result(let one): onAnswer(time, .detections(one.detections))
            case .none(let reason): onAnswer(time, .none(reason: reason))
            }
        }
        return sequence != nil
    }

    private func check(
        _ image: Data, _ width: Int, _ height: Int, _ codec: Codec, _ deadline: Duration
    ) throws(TallyLensError) {
        let (welcome, problem, isOver) = client.state.use {
            ($0.session.welcome, $0.problem, $0.isStopping)
        }
        if let problem { throw problem }
        if isOver { throw TallyLensError(.closed, "the client is closed", "Make another") }
        let sides = 1...Int(UInt16.max)
        if !sides.contains(width) || !sides.contains(height) {
            throw .usage("an image is \(width)x\(height)", "Use 1 to \(sides.upperBound) pixels")
        }
        if codec == .raw && image.count != 3 * width * height {
            throw .usage(
                "a raw image of \(width)x\(height) has \(image.count) bytes",
                "Give 3 bytes per pixel, without any between rows")
        }
        let limit = min(welcome?.frameBytes ?? .max, Int64(Wire.maxFrameBytes))
        if image.isEmpty || image.count > limit {
            throw .usage(
                "an encoded image has \(image.count) bytes", "Use 1 to \(limit): scale it down")
        }
        if !(deadline > .zero) {
            throw .usage("the deadline is \(deadline)", "Use a time above 0")
        }
    }

    /// Say goodbye and close, which takes a second at most; frames without an answer are given up.
    public func close() { client.close() }
}
