import Foundation
import TallyLens

/// Engines of one model by input size: counters that share an engine share those, too.
///
/// `@unchecked Sendable`, because the fields are used under `lock` only.
final class ResizedEngines: @unchecked Sendable {
    private struct Size: Hashable {
        var width: Int
        var height: Int
    }

    private let lock = NSLock()
    private var opened: [Size: LiteRTEngine?] = [:]
    private var refused: String?

    /// Why frames keep the input of the file; nil unless LiteRT refused another.
    var refusal: String? { lock.withLock { refused } }

    /// The engine of a size, opened once by `open`, whose engine error becomes `refusal`.
    func engine(
        _ width: Int, _ height: Int, refusal: String, open: () throws -> LiteRTEngine?
    ) throws -> LiteRTEngine? {
        try lock.withLock {
            let size = Size(width: width, height: height)
            if let known = opened[size] { return known }
            var made: LiteRTEngine?
            do {
                made = try open()
            } catch let error as TallyLensError where error.kind == .engine {
                refused = refusal
            }
            opened[size] = .some(made)
            return made
        }
    }
}
