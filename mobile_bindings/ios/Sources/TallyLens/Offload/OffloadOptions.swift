/// When a counter asks the server.
public enum OffloadMode: String, Sendable, Codable {
    /// Never: the device counts alone.
    case never
    /// For frames that changed, are worth it and can be answered in time.
    case auto
    /// For every frame, while there is a connection.
    case always
}

/// Where the server is, when to ask it, and what the device may spend.
///
/// The device's own model decides whenever no answer comes in time, so that every frame is counted once,
/// whatever the network does.
public struct OffloadOptions: Sendable {
    /// `wss://host:port` of `tallylens serve`; `ws://` to this machine only.
    public var server: String
    /// The API key or token, which is sent in a header, never as a part of the address.
    public var key: Secret
    /// When to ask.
    public var mode: OffloadMode = .auto
    /// Maximum time of a frame; nil for half a second in a live stream, ten in a video.
    public var deadline: Duration?
    /// SHA-256 of the device's model file in hexadecimal, where the server may run the same file: it then
    /// gets exact pixels only. Empty otherwise.
    public var modelDigest = ""
    /// Size of the device's model file, of `memoryBytes`.
    public var modelBytes = 0
    /// Memory that the device's model may use (about three times its file), above which every frame goes
    /// to the server; nil for any.
    public var memoryBytes: Int?
    /// Opens the websocket.
    public var transport: any Transport
    /// Receives a sentence when the server starts to refuse this device, and when it accepts it again.
    public var onNotice: (@Sendable (String) -> Void)?

    /// Ask the server at this address, with this key.
    public init(server: String, key: Secret, transport: any Transport = URLSessionTransport()) {
        self.server = server
        self.key = key
        self.transport = transport
    }

    func check() throws(TallyLensError) {
        _ = try streamURL(server)
        try key.check()
        if let deadline, !(deadline > .zero) {
            throw .usage("the deadline is \(deadline)", "Use a time above 0")
        }
        if modelBytes < 0 || (memoryBytes ?? 0) < 0 {
            throw .usage("modelBytes or memoryBytes is below 0", "Use bytes")
        }
        if memoryBytes != nil && modelBytes == 0 {
            throw .usage("memoryBytes needs the size of the model", "Set modelBytes")
        }
    }
}

/// A text that is not shown by `print`, `dump` or a debugger.
public struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    let value: String

    private static let maxLength = 4096

    /// Hides a text.
    public init(_ value: String) { self.value = value }

    /// Not the text.
    public var description: String { "Secret(...)" }
    /// Not the text.
    public var debugDescription: String { description }
    /// Without children.
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Refuse what cannot be a key: it becomes a line of an HTTP request.
    func check() throws(TallyLensError) {
        let printable = value.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        if value.isEmpty || value.utf8.count > Secret.maxLength || !printable {
            throw .usage("the key is not valid", "Copy it again from tallylens serve")
        }
    }
}
