import Foundation

/// The image of a frame as it is sent.
struct EncodedImage: Sendable {
    var data: Data
    /// Pixels.
    var width: Int
    /// Pixels.
    var height: Int
    var codec = Codec.jpeg
    /// Size of the frame in the device's pixels over that of this image.
    var scale: (x: Double, y: Double) = (1, 1)
}

/// A frame without an answer; times in seconds of the caller's clock.
struct PendingFrame: Sendable {
    let sequence: Int64
    let captureMicroseconds: Int64
    /// When it is of no use any more.
    let expires: Double
    /// Without its data once the frame has expired.
    var image: EncodedImage
    /// It was sent on this connection, or need not be sent again.
    var sent = false
    /// It was sent on an earlier connection.
    var repeated = false
    /// It was given up.
    var expired = false
}

/// The client's end of a session, over all its connections. No I/O; times are given.
///
///     connecting --welcome--> open --drain--> draining
///     every state --connectionLost--> connecting
struct ClientSession: Sendable {
    enum State: Sendable { case connecting, open, draining }

    private(set) var state = State.connecting
    private(set) var welcome: Welcome?
    private let first: Hello
    private var credits = 0
    private var last: Int64 = 0
    private var resumable = true
    /// In the order of their numbers.
    private var frames: [PendingFrame] = []

    init(_ hello: Hello = Hello()) { first = hello }

    /// How many more frames may be submitted now.
    var creditsLeft: Int { state == .open ? max(0, credits - frames.count) : 0 }

    /// Frames that are still of use and have no answer.
    var inFlight: Int { frames.count { !$0.expired } }

    /// The first message of a connection; it asks for the session of the one before.
    func hello() -> Hello {
        guard let welcome, resumable else { return first }
        return first.resuming(welcome)
    }

    /// Queue a frame to be sent; its number, or nil where there is no credit for it or it is too big.
    mutating func submit(_ image: EncodedImage, captureMicroseconds: Int64, expires: Double) -> Int64? {
        let limit = min(welcome?.frameBytes ?? 0, Int64(Wire.maxFrameBytes))
        if creditsLeft == 0 || last >= Wire.maxSequence || image.data.count > limit { return nil }
        last += 1
        frames.append(
            PendingFrame(
                sequence: last, captureMicroseconds: captureMicroseconds, expires: expires, image: image))
        return last
    }

    /// The number of the oldest frame that is still worth sending, and its message; it then counts as
    /// sent.
    mutating func frameToSend(_ now: Double) -> (sequence: Int64, message: Data)? {
        guard state == .open,
            let index = frames.firstIndex(where: { !$0.sent && $0.expires > now })
        else { return nil }
        frames[index].sent = true
        let frame = frames[index]
        let left = min(max(1, (frame.expires - now) * 1000), Double(Wire.maxSequence))
        let header = FrameHeader(
            sequence: frame.sequence, captureMicroseconds: frame.captureMicroseconds,
            deadlineMilliseconds: Int64(left), width: frame.image.width, height: frame.image.height,
            codec: frame.image.codec, repeated: frame.repeated)
        return (frame.sequence, header.message(frame.image.data))
    }

    /// A message of the server, and the frame that it answers; an answer without a frame repeats an
    /// earlier one.
    mutating func messageReceived(
        _ text: String
    ) throws(TallyLensError) -> (message: ServerMessage, frame: PendingFrame?) {
        let message = try ServerMessage(text)
        switch message {
        case .welcome(let welcome):
            welcomed(welcome)
            return (message, nil)
        case .drain:
            state = .draining
            return (message, nil)
        default:
            if state == .connecting {
                throw .violation("the server answered before its welcome")
            }
        }
        switch message {
        case .result(let one): return (message, answered(one.sequence, one.credits))
        case .reject(let one): return (message, answered(one.sequence, one.credits))
        default: return (message, nil)
        }
    }

    private mutating func answered(_ sequence: Int64, _ credits: Int) -> PendingFrame? {
        self.credits = credits
        return frames.firstIndex { $0.sequence == sequence }.map { frames.remove(at: $0) }
    }

    /// Mark the frames that the server does not have to be sent again, oldest first.
    private mutating func welcomed(_ welcome: Welcome) {
        self.welcome = welcome
        credits = welcome.credits
        resumable = true
        if state == .connecting { state = .open }
        let arrived = welcome.resumed ? welcome.ack : 0
        frames.removeAll { $0.expired && !($0.sent && $0.sequence <= arrived) }
        for index in frames.indices where !(frames[index].sent && frames[index].sequence <= arrived) {
            frames[index].repeated = frames[index].repeated || frames[index].sent
            frames[index].sent = false
        }
    }

    /// The connection has ended; frames wait for the next one until they expire.
    mutating func connectionLost() { state = .connecting }

    /// Ask for a new session next time: the server does not accept the one before.
    mutating func startOver() { resumable = false }

    /// Give up the frames whose time is over, oldest first. One that was sent still takes a credit until
    /// the server answers or the session ends.
    mutating func expire(_ now: Double) -> [PendingFrame] {
        giveUp { !$0.expired && $0.expires <= now }
    }

    /// Give up one frame early.
    mutating func cancel(_ sequence: Int64) {
        _ = giveUp { $0.sequence == sequence }
    }

    /// Give up every frame early; those that were still of use, oldest first.
    mutating func cancelAll() -> [PendingFrame] {
        giveUp { !$0.expired }
    }

    private mutating func giveUp(_ over: (PendingFrame) -> Bool) -> [PendingFrame] {
        var given: [PendingFrame] = []
        for index in frames.indices where over(frames[index]) {
            frames[index].expired = true
            frames[index].image.data = Data()
            given.append(frames[index])
        }
        frames.removeAll { $0.expired && !$0.sent }
        return given
    }
}
