// The plan of a model: which processor runs which operation. Operations are those of `Recording.plan`.
import Foundation

public class MLCPUComputeDevice: @unchecked Sendable { public init() {} }
public class MLGPUComputeDevice: @unchecked Sendable { public init() {} }
public class MLNeuralEngineComputeDevice: @unchecked Sendable { public init() {} }

public enum MLComputeDevice: Sendable {
    case cpu(MLCPUComputeDevice)
    case gpu(MLGPUComputeDevice)
    case neuralEngine(MLNeuralEngineComputeDevice)
}

public enum MLModelStructure: Sendable {
    case program(Program)
    case unsupported

    public struct Program: Sendable {
        public struct Function: Sendable { public let block: Block }
        public struct Block: Sendable { public let operations: [Operation] }
        public struct Operation: Sendable {
            public let operatorName: String
            public let blocks: [Block]
            let device: MLComputeDevice?
        }
        public let functions: [String: Function]
    }
}

public final class MLComputePlan: Sendable {
    public struct DeviceUsage: Sendable { public let preferred: MLComputeDevice }

    public let modelStructure: MLModelStructure

    private init(_ structure: MLModelStructure) { modelStructure = structure }

    public static func load(
        contentsOf url: URL, configuration: MLModelConfiguration
    ) async throws -> MLComputePlan {
        if Recording.current.fails { throw MLStubError() }
        guard let devices = Recording.current.plan else { return MLComputePlan(.unsupported) }
        typealias Program = MLModelStructure.Program
        let inner = devices.map { Program.Operation(operatorName: "conv", blocks: [], device: $0) }
        let outer = Program.Operation(
            operatorName: "cond", blocks: [Program.Block(operations: inner)], device: nil)
        let main = Program.Function(block: Program.Block(operations: [outer]))
        return MLComputePlan(.program(Program(functions: ["main": main])))
    }

    public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? {
        operation.device.map { DeviceUsage(preferred: $0) }
    }
}
