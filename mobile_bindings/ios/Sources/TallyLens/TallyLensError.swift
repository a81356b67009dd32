import Foundation

/// What goes wrong in tallylens; the text says what was wrong and what to do.
public struct TallyLensError: Error, Sendable, Equatable, CustomStringConvertible, LocalizedError {
    /// What an error is about.
    public enum Kind: String, Sendable {
        /// An option, a region or a frame that cannot be used.
        case usage
        /// A model file that is damaged, or contradicts itself.
        case model
        /// A model file of a kind that tallylens, or this system, cannot run.
        case unsupportedModel
        /// The inference engine is missing, of an untested version, or failed.
        case engine
        /// A saved state that is damaged, or of another counter; the counter is unchanged.
        case state
        /// A timestamp that is not later than the one before; the counter is unchanged.
        case timestamp
        /// The server refuses the connection, or does not follow the protocol.
        case cloud
        /// The counter was closed.
        case closed
        /// A fault inside tallylens.
        case fault
    }

    /// What the error is about.
    public let kind: Kind
    /// What was wrong.
    public let problem: String
    /// What to do about it.
    public let remedy: String

    /// An error of one kind, with its cause and its remedy as sentences without a final period.
    public init(_ kind: Kind, _ problem: String, _ remedy: String) {
        self.kind = kind
        self.problem = problem
        self.remedy = remedy
    }

    /// Cause and remedy in one text.
    public var description: String { "\(problem). \(remedy)" }

    /// The same for `localizedDescription`.
    public var errorDescription: String? { description }

    static func usage(_ problem: String, _ remedy: String) -> TallyLensError {
        TallyLensError(.usage, problem, remedy)
    }

    static let noModel = TallyLensError.usage(
        "the counter has no model", "Use count(_:width:height:at:)")

    static func model(_ problem: String) -> TallyLensError {
        TallyLensError(
            .model, problem, "Convert the original checkpoint again with tallylens convert")
    }

    static func state(_ problem: String) -> TallyLensError {
        TallyLensError(.state, problem, "Start a new count")
    }

    static func fault(_ problem: String) -> TallyLensError {
        TallyLensError(.fault, problem, "Report it with the model and the options that were used")
    }

    /// Any error as one of ours; those of an engine of the app keep their text.
    static func wrapping(_ error: any Error) -> TallyLensError {
        if let ours = error as? TallyLensError { return ours }
        return TallyLensError(.engine, "\(error)", "Report it with the model")
    }
}
