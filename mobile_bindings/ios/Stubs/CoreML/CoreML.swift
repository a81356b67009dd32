// Declarations of Core ML that the package uses, as Swift imports them. `MLModel` returns recorded heads:
// what a test gives to `Recording`.
import CoreVideo
import Foundation

public enum MLMultiArrayDataType: Int, Sendable {
    case double = 65600
    case float32 = 65568
    case float16 = 65552
    case int32 = 131104
}

public class MLMultiArray: @unchecked Sendable {
    public let shape: [NSNumber]
    public let strides: [NSNumber]
    public let dataType: MLMultiArrayDataType
    public let memory: UnsafeMutableRawBufferPointer

    /// - Parameter rowElements: elements from row to row; the shape's for none between.
    public init(shape: [NSNumber], dataType: MLMultiArrayDataType, rowElements: Int) {
        let sides = shape.map(\.intValue)
        var strides = [Int](repeating: 1, count: sides.count)
        for i in stride(from: sides.count - 2, through: 0, by: -1) {
            strides[i] = strides[i + 1] * (i == sides.count - 2 ? rowElements : sides[i + 1])
        }
        self.shape = shape
        self.strides = strides.map { NSNumber(value: $0) }
        self.dataType = dataType
        let size = dataType == .float16 ? 2 : 4
        memory = .allocate(byteCount: sides[0] * strides[0] * size, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0x7f)
    }

    public convenience init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws {
        self.init(shape: shape, dataType: dataType, rowElements: shape.last!.intValue)
    }

    deinit { memory.deallocate() }

    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(memory))
    }
}

public class MLFeatureValue {
    public let multiArrayValue: MLMultiArray?
    public let imageBufferValue: CVPixelBuffer?
    public init(pixelBuffer: CVPixelBuffer) {
        imageBufferValue = pixelBuffer
        multiArrayValue = nil
    }
    public init(multiArray: MLMultiArray) {
        multiArrayValue = multiArray
        imageBufferValue = nil
    }
}

public protocol MLFeatureProvider {
    var featureNames: Set<String> { get }
    func featureValue(for featureName: String) -> MLFeatureValue?
}

public class MLDictionaryFeatureProvider: MLFeatureProvider {
    private let values: [String: Any]
    public init(dictionary: [String: Any]) throws { values = dictionary }
    public var featureNames: Set<String> { Set(values.keys) }
    public func featureValue(for featureName: String) -> MLFeatureValue? {
        values[featureName] as? MLFeatureValue
    }
}

public enum MLComputeUnits: Int, Sendable {
    case cpuOnly = 0
    case cpuAndGPU = 1
    case all = 2
    case cpuAndNeuralEngine = 3
}

public class MLModelConfiguration {
    public var computeUnits = MLComputeUnits.all
    public init() {}
}

public class MLPredictionOptions {
    public var outputBackings: [String: Any] = [:]
    public init() {}
}

public struct MLModelMetadataKey: Hashable, Sendable {
    let name: String
    public static let creatorDefinedKey = MLModelMetadataKey(name: "MLModelCreatorDefinedKey")
}

public class MLMultiArrayConstraint {
    public let shape: [NSNumber]
    public let dataType: MLMultiArrayDataType
    init(_ shape: [NSNumber], _ dataType: MLMultiArrayDataType) {
        self.shape = shape
        self.dataType = dataType
    }
}

public class MLFeatureDescription {
    public let multiArrayConstraint: MLMultiArrayConstraint?
    init(_ constraint: MLMultiArrayConstraint?) { multiArrayConstraint = constraint }
}

public class MLModelDescription {
    public let inputDescriptionsByName: [String: MLFeatureDescription]
    public let outputDescriptionsByName: [String: MLFeatureDescription]
    public let metadata: [MLModelMetadataKey: Any]
    init(_ recording: Recording) {
        inputDescriptionsByName = Dictionary(
            uniqueKeysWithValues: recording.inputs.map { ($0, MLFeatureDescription(nil)) })
        outputDescriptionsByName = recording.shapes.mapValues {
            MLFeatureDescription(
                MLMultiArrayConstraint($0.map { NSNumber(value: $0) }, recording.type))
        }
        metadata = [.creatorDefinedKey: recording.about]
    }
}

/// What `MLModel` is in a test.
public final class Recording: @unchecked Sendable {
    public var about: [String: String] = [:]
    public var shapes: [String: [Int]] = [:]
    public var type = MLMultiArrayDataType.float32
    /// Rows of new arrays are padded to so many bytes; 0: packed, and into the arrays of the app.
    public var rowBytes = 0
    /// Heads of the next prediction, packed, by name.
    public var heads: [String: [UInt8]] = [:]
    /// The input of the last prediction.
    public var input: CVPixelBuffer?
    /// How long an asynchronous prediction takes, and how many were under way at a time.
    public var predictionSeconds = 0.0
    public var most = 0
    var running = 0
    let lock = NSLock()
    /// Operations of the compute plan, in two nested blocks; nil for a model that is no program.
    public var plan: [MLComputeDevice?]? = []
    /// How long a load takes on anything but the CPU.
    public var loadSeconds = 0.0
    public var loads: [MLComputeUnits] = []
    public var compiled = 0
    public var fails = false
    /// Inputs of the model.
    public var inputs = ["image"]
    /// A model that is compiled to nothing, as on a full disk.
    public var compilesToNothing = false
    nonisolated(unsafe) public static var current = Recording()
    public init() {}
}

public struct MLStubError: Error {}

public class MLModel: @unchecked Sendable {
    public let modelDescription: MLModelDescription
    private let recording: Recording

    private init(_ recording: Recording) {
        self.recording = recording
        modelDescription = MLModelDescription(recording)
    }

    public class func load(
        contentsOf url: URL, configuration: MLModelConfiguration = MLModelConfiguration()
    ) async throws -> MLModel {
        let recording = Recording.current
        let units = configuration.computeUnits
        recording.loads.append(units)
        if recording.fails { throw MLStubError() }
        if units != .cpuOnly {
            try? await Task.sleep(nanoseconds: UInt64(recording.loadSeconds * 1e9))
        }
        return MLModel(recording)
    }

    public class func compileModel(at modelURL: URL) async throws -> URL {
        if Recording.current.fails { throw MLStubError() }
        Recording.current.compiled += 1
        let made = FileManager.default.temporaryDirectory.appendingPathComponent(
            UUID().uuidString, isDirectory: true)
        if !Recording.current.compilesToNothing {
            try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
        }
        return made
    }

    public func prediction(
        from input: MLFeatureProvider, options: MLPredictionOptions
    ) throws -> MLFeatureProvider {
        Thread.sleep(forTimeInterval: recording.predictionSeconds)
        return try outputs(input, options)
    }

    private func outputs(
        _ input: MLFeatureProvider, _ options: MLPredictionOptions
    ) throws -> MLFeatureProvider {
        recording.input = input.featureValue(for: "image")?.imageBufferValue
        if recording.fails { throw MLStubError() }
        var outputs: [String: Any] = [:]
        for (name, shape) in recording.shapes {
            guard let packed = recording.heads[name] else { continue }
            let array = array(shape, options.outputBackings[name] as? MLMultiArray)
            fill(array, packed)
            outputs[name] = MLFeatureValue(multiArray: array)
        }
        return try MLDictionaryFeatureProvider(dictionary: outputs)
    }

    public func prediction(
        from input: MLFeatureProvider, options: MLPredictionOptions
    ) async throws -> MLFeatureProvider {
        recording.lock.withLock {
            recording.running += 1
            recording.most = max(recording.most, recording.running)
        }
        try? await Task.sleep(nanoseconds: UInt64(recording.predictionSeconds * 1e9))
        return try recording.lock.withLock {
            recording.running -= 1
            return try outputs(input, options)
        }
    }

    private func array(_ shape: [Int], _ backing: MLMultiArray?) -> MLMultiArray {
        let size = recording.type == .float16 ? 2 : 4
        guard recording.rowBytes > 0 else { return backing! }
        let row = (shape.last! * size + recording.rowBytes - 1) / recording.rowBytes * recording.rowBytes
        return MLMultiArray(
            shape: shape.map { NSNumber(value: $0) }, dataType: recording.type, rowElements: row / size)
    }

    private func fill(_ array: MLMultiArray, _ packed: [UInt8]) {
        let size = recording.type == .float16 ? 2 : 4
        let width = array.shape.last!.intValue * size
        let stride = array.strides[array.strides.count - 2].intValue * size
        for row in 0..<packed.count / width {
            UnsafeMutableRawBufferPointer(rebasing: array.memory[(row * stride)...])
                .copyBytes(from: packed[row * width..<(row + 1) * width])
        }
    }
}
