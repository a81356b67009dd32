import Foundation

/// The address of the stream on the server at `wss://host:port`; without a secret in it, and plain
/// `ws://` to this machine only.
func streamURL(_ address: String) throws(TallyLensError) -> URL {
    guard var parts = URLComponents(string: address), let host = parts.host, !host.isEmpty,
        parts.scheme == "wss" || parts.scheme == "ws"
    else {
        throw .usage("the server is not a websocket address", "Use one like wss://host:8443")
    }
    if parts.user != nil || parts.password != nil || parts.query != nil || parts.fragment != nil {
        throw .usage(
            "the address of the server holds more than an address",
            "Put the key into OffloadOptions.key, not into the address")
    }
    if parts.scheme == "ws" && !isLoopback(host) {
        throw .usage("ws://\(host) would send images unencrypted", "Use wss://")
    }
    while parts.path.hasSuffix("/") { parts.path.removeLast() }
    if !parts.path.hasSuffix(Wire.path) { parts.path += Wire.path }
    guard let url = parts.url else {
        throw .usage("the server is not a websocket address", "Use one like wss://host:8443")
    }
    return url
}

/// Whether a host is this machine.
private func isLoopback(_ host: String) -> Bool {
    let name = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    let numbers = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    return name == "localhost" || name == "::1"
        || (numbers.count == 4 && numbers[0] == 127 && !numbers.contains(nil))
}
