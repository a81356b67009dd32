import Foundation

/// A file for the state of a counter, written beside and renamed: it is never half written. On iOS it can
/// be read after the first unlock, also in the background.
public struct StateFile: Sendable {
    /// Where it is.
    public let url: URL

    /// A file of this name in the folder for application support.
    public init(named name: String) throws {
        let folder = try FileManager.default.url(
            for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        url = folder.appendingPathComponent(name)
    }

    /// A file at this place.
    public init(_ url: URL) { self.url = url }

    /// Save what the counter knows.
    public func save(_ counter: Counter) throws {
        try counter.saveState().write(
            to: url, options: [.atomic, .completeFileProtectionUntilFirstUserAuthentication])
    }

    /// Let the counter go on from the file; false if there is none.
    ///
    /// - Throws: `TallyLensError` of kind `state` if the file is of another counter, or damaged.
    @discardableResult
    public func restore(_ counter: Counter) throws -> Bool {
        guard FileManager.default.fileExists(atPath: url.path) else { return false }
        try counter.restoreState(try Data(contentsOf: url))
        return true
    }
}
