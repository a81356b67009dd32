import Foundation

/// Refusals of a server: which of them are final, how often each came, and sentences for the user.
///
/// A server that has never accepted this client will not do so later. One that has is asked again
/// without end: keys, certificates and proxies get repaired.
struct Refusals: Sendable {
    /// Why the last attempt was refused; empty if it was not.
    private(set) var current = ""
    /// Each reason and how often it came, in the order in which they came.
    private(set) var times: [(reason: String, times: Int)] = []
    private static let maxReasons = 16

    /// Note a refusal; what to tell the user, if it is new.
    mutating func refused(_ error: TallyLensError, isFinal: Bool) -> String? {
        let reason = "\(error)"
        if let index = times.firstIndex(where: { $0.reason == reason }) {
            times[index].times += 1
        } else if times.count < Refusals.maxReasons {
            times.append((reason, 1))
        }
        defer { current = reason }
        if reason == current { return nil }
        let then = isFinal ? "the server is not asked again" : "it is tried again"
        return "\(reason). Counting on this device alone; \(then)"
    }

    /// Note a welcome; what to tell the user, if there was a refusal before it.
    mutating func accepted(_ url: URL) -> String? {
        defer { current = "" }
        return current.isEmpty ? nil : "\(url): the server accepts this device again"
    }
}

/// The error of a connection's end after which another attempt would change nothing, or nil.
func refusal(_ end: ConnectionEnd, _ url: URL) -> TallyLensError? {
    let why: (problem: String, remedy: String)
    switch (end.code, end.httpStatus) {
    case _ where end.isUntrusted:
        why = ("its certificate cannot be trusted", "Use a certificate that the device trusts")
    case (CloseCode.protocolError, _), (_, 400):
        why = ("incompatible protocol version", "Update the older of client and server")
    case (CloseCode.unauthorized, _), (_, 401):
        why = ("it does not know this key", "Check OffloadOptions.key and the server's key file")
    case (CloseCode.forbidden, _), (_, 403):
        why = ("this key may not connect", "Ask for a key with the scope")
    case (_, 404): why = ("not a tallylens server", "Check the address")
    case (CloseCode.duplicateSession, _):
        why = ("another connection has resumed the session", "Run one client per session")
    default: return nil
    }
    return TallyLensError(.cloud, "\(url): \(why.problem)", why.remedy)
}
