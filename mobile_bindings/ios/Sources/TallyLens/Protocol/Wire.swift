/// Names and limits of `tallylens.v1` that both ends of a connection share; see `docs/protocol.md`.
enum Wire {
    static let subprotocol = "tallylens.v1"
    static let path = "/v1/stream"
    static let maxFrameBytes = 4 << 20
    static let maxSequence = Int64(UInt32.max)
    static let maxClientText = 16 << 10
    static let maxServerText = 1 << 20
    static let maxCredits: Int64 = 64
    static let maxDetections = 1000
    static let maxClasses = 10_000
    static let maxRegions = 64
    static let maxCorners = 256
    static let maxTotal: Int64 = 1 << 62
    static let reasons = [
        "late", "too_big", "undecodable", "over_quota", "no_credit", "forgotten", "busy", "failed",
    ]
}

/// Why a server closed a connection. The codes above 4000 are those of the protocol.
enum CloseCode {
    static let normal = 1000
    static let protocolError = 4400
    static let unauthorized = 4401
    static let forbidden = 4403
    static let duplicateSession = 4409
}

extension TallyLensError {
    /// The peer does not follow the protocol.
    static func violation(_ problem: String) -> TallyLensError {
        TallyLensError(.cloud, problem, "Update tallylens on the device and on the server")
    }
}
