#if canImport(CoreML)
import CoreML
import CoreVideo
import Foundation
import TallyLens

/// A loaded model with its memory for inputs and outputs.
///
/// `@unchecked Sendable`, because what changes is used under `gate`, and a slot by who took it.
final class CoreMLHandle: @unchecked Sendable {
    let metadata: ModelMetadata
    private let model: MLModel
    private let gate = NSCondition()
    private var free: [PredictionSlot]
    private var isAlone = false
    private var inPlace = 0
    private static let slots = 2

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
        let metadata = try ModelMetadata(document: Data(document.utf8))
        let inputs = description.inputDescriptionsByName
        guard let input = inputs.first, inputs.count == 1 else {
            throw TallyLensError(.model, "the model has not one input", "Convert it again")
        }
        free = try (0..<CoreMLHandle.slots).map { _ in
            try PredictionSlot(metadata, input.key, description.outputDescriptionsByName)
        }
        self.metadata = metadata
    }

    /// Core ML's asynchronous predictions may overlap; it has them since iOS 17.
    var concurrentRuns: Int {
        if #available(iOS 17, macOS 14, *) { CoreMLHandle.slots } else { 1 }
    }

    /// How many outputs of the last inference lie in our own memory, where Core ML took it.
    var outputsInPlace: Int {
        gate.lock()
        defer { gate.unlock() }
        return inPlace
    }

    /// One inference.
    ///
    /// - Parameter alone: waits for all others, and they for it.
    func run(
        alone: Bool, _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        _ heads: ([Head]) throws -> Void
    ) throws {
        let slot = take(alone)
        var taken = 0
        defer { give(slot, taken) }
        try slot.write(metadata, body)
        try pooled {
            let arrays = try predict(slot, alone)
            taken = zip(arrays, slot.backings).count { $0 === $1 }
            try collect(arrays, [], heads)
        }
    }

    private func take(_ alone: Bool) -> PredictionSlot {
        gate.lock()
        defer { gate.unlock() }
        let others = alone ? 0 : concurrentRuns - 1
        while isAlone || CoreMLHandle.slots - free.count > others { gate.wait() }
        isAlone = alone
        return free.removeFirst()
    }

    private func give(_ slot: PredictionSlot, _ taken: Int) {
        gate.lock()
        defer { gate.unlock() }
        free.append(slot)
        (isAlone, inPlace) = (false, taken)
        gate.broadcast()
    }

    private func predict(_ slot: PredictionSlot, _ alone: Bool) throws -> [MLMultiArray] {
        let output: any MLFeatureProvider
        if !alone, #available(iOS 17, macOS 14, *) {
            output = try predictBeside(slot)
        } else {
            output = try model.prediction(from: slot.input, options: slot.options)
        }
        return try metadata.headNames.map { name in
            guard let array = output.featureValue(for: name)?.multiArrayValue else {
                throw TallyLensError(.engine, "Core ML gave no \(name)", "Report it")
            }
            return array
        }
    }

    /// Waits for an asynchronous prediction, on a thread that may wait (`Counter.countAll`).
    @available(iOS 17, macOS 14, *)
    private func predictBeside(_ slot: PredictionSlot) throws -> any MLFeatureProvider {
        let done = DispatchSemaphore(value: 0)
        Task {
            do {
                let output = try await model.prediction(from: slot.input, options: slot.options)
                slot.result = .success(output)
            } catch {
                slot.result = .failure(error)
            }
            done.signal()
        }
        done.wait()
        defer { slot.result = nil }
        return try slot.result!.get()
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
                .model, "head \(metadata.headNames[found.count]) has shape \(shape)",
                "Convert it again")
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
