#if canImport(CoreML)
import CoreML
import CoreVideo
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
            return CoreMLEngine(handle, computeUnits, nil)
        }
        let warning =
            "loading the model for \(computeUnits.rawValue) took over \(timeout.components.seconds) s; "
            + "it runs on the CPU"
        return CoreMLEngine(try await CoreMLHandle.load(compiled, .cpuOnly), .cpuOnly, warning)
    }

    private init(_ handle: CoreMLHandle, _ units: ComputeUnits, _ warning: String?) {
        self.handle = handle
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
        for try await result in results { return result }
        return nil
    }

    /// One inference.
    public func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        try handle.run(body, heads)
    }

    /// How many outputs of the last inference lie in our own memory, where Core ML took it.
    public var outputsInPlace: Int { handle.outputsInPlace }
}

/// A loaded model with its input and output memory, used by one thread at a time.
///
/// `@unchecked Sendable`, because everything that changes is used under `lock` only.
final class CoreMLHandle: @unchecked Sendable {
    let metadata: ModelMetadata
    private let lock = NSLock()
    private let model: MLModel
    private let inputName: String
    private let options = MLPredictionOptions()
    private let backings: [MLMultiArray]
    private let buffers: [CVPixelBuffer]
    private var turn = 0
    private var inPlace = 0

    static func load(_ url: URL, _ units: ComputeUnits) async throws -> CoreMLHandle {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units.native
        do {
            let model = try await MLModel.load(contentsOf: url, configuration: configuration)
            return try CoreMLHandle(model)
        } catch let error as TallyLensError {
            throw error
        } catch {
            guard #available(iOS 17, macOS 14, *) else {
                throw TallyLensError(
                    .unsupportedModel, "Core ML of this system cannot load the model: \(error)",
                    "Use a float16 model, or iOS 17: 8-bit models need it")
            }
            throw TallyLensError(
                .model, "Core ML cannot load the model: \(error)", "Convert it again")
        }
    }

    private init(_ model: MLModel) throws {
        self.model = model
        let description = model.modelDescription
        let about = description.metadata[.creatorDefinedKey] as? [String: String]
        guard let document = about?["tallylens"] else {
            throw TallyLensError(
                .unsupportedModel, "a Core ML package that tallylens did not write",
                "Convert its checkpoint with tallylens convert --to coreml")
        }
        metadata = try ModelMetadata(document: Data(document.utf8))
        guard let input = description.inputDescriptionsByName.first, description.inputDescriptionsByName.count == 1
        else { throw TallyLensError(.model, "the model has not one input", "Convert it again") }
        inputName = input.key
        backings = try CoreMLHandle.makeBackings(metadata, description.outputDescriptionsByName)
        let sides = (metadata.inputWidth, metadata.inputHeight)
        buffers = try (0..<2).map { _ in try CoreMLHandle.makeBuffer(sides.0, sides.1) }
        options.outputBackings = Dictionary(
            uniqueKeysWithValues: zip(metadata.headNames, backings.map { $0 as Any }))
    }

    private static func makeBackings(
        _ metadata: ModelMetadata, _ outputs: [String: MLFeatureDescription]
    ) throws -> [MLMultiArray] {
        try metadata.headNames.enumerated().map { index, name in
            let sides = metadata.headShape(index)
            let shape = [1, sides.channels, sides.height, sides.width].map { NSNumber(value: $0) }
            guard let constraint = outputs[name]?.multiArrayConstraint else {
                throw TallyLensError(
                    .unsupportedModel, "the model has no output \(name)", "Convert it without --nms")
            }
            let type = constraint.dataType
            guard type == .float32 || type == .float16 else {
                throw TallyLensError(
                    .model, "output \(name) holds numbers of type \(type.rawValue)",
                    "Convert it again")
            }
            return try MLMultiArray(shape: shape, dataType: type)
        }
    }

    private static func makeBuffer(_ width: Int, _ height: Int) throws -> CVPixelBuffer {
        let attributes =
            [kCVPixelBufferIOSurfacePropertiesKey as String: [String: Any]()] as CFDictionary
        var buffer: CVPixelBuffer?
        CVPixelBufferCreate(
            nil, width, height, kCVPixelFormatType_32BGRA, attributes, &buffer)
        guard let buffer else {
            throw TallyLensError(.fault, "no memory for an input of \(width)x\(height)", "Free some")
        }
        return buffer
    }

    var outputsInPlace: Int {
        lock.lock()
        defer { lock.unlock() }
        return inPlace
    }

    func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        _ heads: ([Head]) throws -> Void
    ) throws {
        lock.lock()
        defer { lock.unlock() }
        turn = 1 - turn
        let buffer = buffers[turn]
        try write(buffer, body)
        try pooled {
            let input = try MLDictionaryFeatureProvider(
                dictionary: [inputName: MLFeatureValue(pixelBuffer: buffer)])
            let output = try model.prediction(from: input, options: options)
            let arrays = try metadata.headNames.map { name in
                guard let array = output.featureValue(for: name)?.multiArrayValue else {
                    throw TallyLensError(.engine, "Core ML gave no \(name)", "Report it")
                }
                return array
            }
            inPlace = zip(arrays, backings).count { $0 === $1 }
            try collect(arrays, [], heads)
        }
    }

    private func write(
        _ buffer: CVPixelBuffer,
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void
    ) throws {
        CVPixelBufferLockBaseAddress(buffer, [])
        defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
        let row = CVPixelBufferGetBytesPerRow(buffer)
        let (width, height) = (metadata.inputWidth, metadata.inputHeight)
        let bytes = UnsafeMutableRawBufferPointer(
            start: CVPixelBufferGetBaseAddress(buffer), count: row * height)
        try body(
            bytes,
            TensorFormat(type: .uint8, width: width, height: height, rowBytes: row, isBGRA: true))
    }

    /// Call `heads` inside of the access to all arrays: their memory is not ours outside of it.
    private func collect(
        _ arrays: [MLMultiArray], _ found: [Head], _ heads: ([Head]) throws -> Void
    ) throws {
        if found.count == arrays.count { return try heads(found) }
        let array = arrays[found.count]
        let sides = metadata.headShape(found.count)
        let shape = array.shape.map(\.intValue)
        guard shape == [1, sides.channels, sides.height, sides.width],
            array.dataType == .float32 || array.dataType == .float16
        else {
            throw TallyLensError(
                .model, "head \(metadata.headNames[found.count]) has shape \(shape)", "Convert it again")
        }
        let strides = array.strides.map(\.intValue)
        try array.withUnsafeBytes { bytes in
            let head = Head(
                index: found.count, type: array.dataType == .float16 ? .float16 : .float32,
                layout: .nchw, bytes: bytes,
                strides: (row: strides[2], column: strides[3], channel: strides[1]))
            try collect(arrays, found + [head], heads)
        }
    }
}

/// Frees what Core ML makes for a prediction at once; else it grows by megabytes per second.
private func pooled(_ body: () throws -> Void) throws {
    #if canImport(ObjectiveC)
    try autoreleasepool(invoking: body)
    #else
    try body()
    #endif
}
#endif
