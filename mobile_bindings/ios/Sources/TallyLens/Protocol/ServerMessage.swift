/// What a server says.
enum ServerMessage: Sendable {
    case welcome(Welcome)
    case result(FrameResult)
    case reject(FrameReject)
    /// The server restarts in so many seconds: send nothing new; answers still come.
    case drain(seconds: Double)
    case summary(Summary)
}

/// The server's first message on a connection.
struct Welcome: Sendable {
    /// What resumes this session after a lost connection.
    var session: String
    var resume: String
    /// The session that was asked for goes on; otherwise this is a new one.
    var resumed: Bool
    /// Frames up to this number need not be sent again.
    var ack: Int64
    /// Maximum number of frames without an answer.
    var credits: Int
    /// Maximum size of an encoded image.
    var frameBytes: Int64
    /// File name of the model.
    var model: String
    /// Pixels.
    var inputWidth: Int
    /// Pixels.
    var inputHeight: Int
    var classes: [String]
    var strides: [Int]
    /// SHA-256 of the model's file, or empty.
    var digest: String
}

/// The detections of one frame.
struct FrameResult: Sendable {
    var sequence: Int64
    var ack: Int64
    var credits: Int
    /// Pixels of the image as it was sent; class ids of the server's model.
    var detections: [Detection]
    /// Time that the frame waited for the model.
    var queueMilliseconds: Double
    /// The rest of the time from arrival to this message.
    var workMilliseconds: Double
}

/// A frame that will not be answered, and why.
struct FrameReject: Sendable {
    var sequence: Int64
    var ack: Int64
    var credits: Int
    /// One of `Wire.reasons`.
    var reason: String
    var retryAfterMilliseconds: Int64
}

/// The last message of a session.
struct Summary: Sendable {
    var frames: Int64
    var answered: Int64
    var rejected: [String: Int64]
    /// What the server counted, in mode `count`.
    var counts: [String: JSONValue]
}

extension ServerMessage {
    /// The message in a text.
    init(_ text: String) throws(TallyLensError) {
        let of = try MessageFields(text, limit: Wire.maxServerText)
        switch try of.text("type", 40) {
        case "welcome": self = .welcome(try Welcome(of))
        case "result": self = .result(try FrameResult(of))
        case "reject": self = .reject(try FrameReject(of))
        case "drain": self = .drain(seconds: try of.number("seconds", 0))
        case "summary": self = .summary(try Summary(of))
        case let kind: throw .violation("unknown server message '\(kind)'")
        }
    }
}

extension Welcome {
    fileprivate init(_ of: MessageFields) throws(TallyLensError) {
        let sides = try of.items("input_size", 2, of: Double.self)
        if sides.count != 2 || !sides.allSatisfy({ $0 >= 1 && MessageFields.isMeasured($0) }) {
            throw of.invalid("input_size")
        }
        let strides = try of.items("strides", 8, of: Double.self)
        if !strides.allSatisfy(MessageFields.isMeasured) { throw of.invalid("strides") }
        let limits = try of.object("limits")
        for name in ["pixels", "frames_per_second", "frames_per_day"] {
            _ = try limits.whole(name, Wire.maxTotal)
        }
        session = try of.text("session", 64)
        resume = try of.text("resume", 128)
        resumed = try of.flag("resumed")
        ack = try of.whole("ack", Wire.maxSequence)
        credits = Int(try of.whole("credits", Wire.maxCredits))
        frameBytes = try limits.whole("frame_bytes", Wire.maxTotal)
        model = try of.text("model", 200)
        (inputHeight, inputWidth) = (Int(sides[0]), Int(sides[1]))
        classes = try of.items("classes", Wire.maxClasses, of: String.self)
        if !classes.allSatisfy({ $0.unicodeScalars.count <= 200 }) { throw of.invalid("classes") }
        self.strides = strides.map { Int($0) }
        digest = try of.text("digest", 64, "")
    }
}

extension FrameResult {
    fileprivate init(_ of: MessageFields) throws(TallyLensError) {
        sequence = try of.whole("sequence", Wire.maxSequence)
        ack = try of.whole("ack", Wire.maxSequence)
        credits = Int(try of.whole("credits", Wire.maxCredits))
        detections = []
        for row in try of.items("detections", Wire.maxDetections, of: [Double].self) {
            guard let one = FrameResult.detection(row) else { throw of.invalid("detection") }
            detections.append(one)
        }
        queueMilliseconds = try of.number("queue_ms", 0)
        workMilliseconds = try of.number("work_ms", 0)
    }

    private static func detection(_ row: [Double]) -> Detection? {
        guard row.count == 6, row.allSatisfy(MessageFields.isMeasured), (0...1).contains(row[4]),
            row[5] >= 0, row[5] < Double(Wire.maxClasses), row[5] == row[5].rounded(.down)
        else { return nil }
        return Detection(
            x1: Float(row[0]), y1: Float(row[1]), x2: Float(row[2]), y2: Float(row[3]),
            confidence: Float(row[4]), classID: Int(row[5]))
    }
}

extension FrameReject {
    fileprivate init(_ of: MessageFields) throws(TallyLensError) {
        sequence = try of.whole("sequence", Wire.maxSequence)
        ack = try of.whole("ack", Wire.maxSequence)
        credits = Int(try of.whole("credits", Wire.maxCredits))
        reason = try of.oneOf("reason", Wire.reasons)
        retryAfterMilliseconds = try of.whole("retry_after_ms", 1 << 40, 0)
    }
}

extension Summary {
    fileprivate init(_ of: MessageFields) throws(TallyLensError) {
        frames = try of.whole("frames", Wire.maxTotal)
        answered = try of.whole("answered", Wire.maxTotal)
        let reasons = try of.object("rejected")
        rejected = [:]
        for name in reasons.names { rejected[name] = try reasons.whole(name, Wire.maxTotal) }
        switch try of.json("counts") {
        case nil: counts = [:]
        case .object(let object)?: counts = object
        default: throw of.invalid("counts")
        }
    }
}
