#if canImport(CoreML)
import CoreML
import Foundation
import TallyLens

/// The processors that may run a model.
public enum ComputeUnits: String, Sendable {
    /// The CPU only.
    case cpuOnly
    /// The Neural Engine where it can, else the CPU: the GPU stays free for the preview, and may not be
    /// used in the background.
    case cpuAndNeuralEngine
    /// The GPU too.
    case all

    var native: MLComputeUnits {
        switch self {
        case .cpuOnly: .cpuOnly
        case .cpuAndNeuralEngine: .cpuAndNeuralEngine
        case .all: .all
        }
    }
}

/// Runs packages that `tallylens convert --to coreml` wrote with Core ML. Frames of one engine are run one
/// after the other; its heads are decoded where Core ML has them, with their padding.
public struct CoreMLEngine: Engine {
    /// What the model file says about itself.
    public let metadata: ModelMetadata
    /// What runs the model: `coreml-cpuAndNeuralEngine`.
    public let name: String
    /// A sentence if the model does not run as asked for.
    public let warning: String?
    private let handle: CoreMLHandle
    let compiled: URL
    let units: ComputeUnits

    /// Load an `.mlpackage` or a compiled `.mlmodelc`.
    ///
    /// A package is compiled once and kept in the caches, by the SHA-256 of its files. A load that takes
    /// longer than `timeout` falls back to the CPU, which `warning` tells: some models hang on the
    /// Neural Engine.
    public static func load(
        _ url: URL, computeUnits: ComputeUnits = .cpuAndNeuralEngine,
        timeout: Duration = .seconds(30)
    ) async throws -> CoreMLEngine {
        let compiled = try await CompiledModels.compiled(url)
        if let handle = try await load(compiled, computeUnits, within: timeout) {
            return CoreMLEngine(handle, compiled, computeUnits, nil)
        }
        let warning =
            "loading the model for \(computeUnits.rawValue) took over \(timeout.components.seconds) s; "
            + "it runs on the CPU"
        let handle = try await CoreMLHandle.load(compiled, .cpuOnly)
        return CoreMLEngine(handle, compiled, .cpuOnly, warning)
    }

    private init(
        _ handle: CoreMLHandle, _ compiled: URL, _ units: ComputeUnits, _ warning: String?
    ) {
        self.handle = handle
        self.compiled = compiled
        self.units = units
        self.warning = warning
        metadata = handle.metadata
        name = "coreml-\(units.rawValue)"
    }

    /// The model, or nil after the timeout. Core ML cannot be interrupted: the load goes on unheard.
    private static func load(
        _ url: URL, _ units: ComputeUnits, within timeout: Duration
    ) async throws -> CoreMLHandle? {
        let (results, continuation) = AsyncThrowingStream<CoreMLHandle?, any Error>.makeStream()
        Task {
            do {
                continuation.yield(try await CoreMLHandle.load(url, units))
            } catch {
                continuation.finish(throwing: error)
            }
        }
        let clock = Task {
            try await Task.sleep(for: timeout)
            continuation.yield(nil)
        }
        defer { clock.cancel() }
        var first = results.makeAsyncIterator()
        return try await first.next().flatMap { $0 }
    }

    /// One inference.
    public func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        try handle.run(alone: true, body, heads)
    }

    /// Two since iOS 17, else one.
    public var concurrentRuns: Int { handle.concurrentRuns }

    /// One inference of two at a time; waits for Core ML on this thread.
    public func runConcurrently(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        try handle.run(alone: false, body, heads)
    }

    /// How many outputs of the last inference lie in our own memory, where Core ML took it.
    public var outputsInPlace: Int { handle.outputsInPlace }
}
#endif
