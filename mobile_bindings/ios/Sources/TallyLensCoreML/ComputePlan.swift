#if canImport(CoreML)
import CoreML
import Foundation

/// Where Core ML means to run the operations of a model.
public struct ComputePlan: Sendable, Hashable, CustomStringConvertible {
    /// Operations on the Neural Engine.
    public var neuralEngine = 0
    /// Operations on the GPU.
    public var gpu = 0
    /// Operations on the CPU.
    public var cpu = 0

    /// All of them in one sentence.
    public var description: String {
        "\(neuralEngine) of \(neuralEngine + gpu + cpu) operations on the Neural Engine, "
            + "\(gpu) on the GPU, \(cpu) on the CPU"
    }
}

extension CoreMLEngine {
    /// Where Core ML means to run the operations of this model; nil before iOS 17.4 and macOS 14.4, and
    /// for models that are no ML programs. It loads the model once more: ask when the model changes.
    public func computePlan() async throws -> ComputePlan? {
        guard #available(iOS 17.4, macOS 14.4, *) else { return nil }
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units.native
        let plan = try await MLComputePlan.load(contentsOf: compiled, configuration: configuration)
        guard case .program(let program) = plan.modelStructure else { return nil }
        var counts = ComputePlan()
        for function in program.functions.values { plan.count(function.block, &counts) }
        return counts
    }
}

@available(iOS 17.4, macOS 14.4, *)
extension MLComputePlan {
    /// Weights are operations of no processor.
    fileprivate func count(_ block: MLModelStructure.Program.Block, _ counts: inout ComputePlan) {
        for operation in block.operations {
            switch deviceUsage(for: operation)?.preferred {
            case .neuralEngine: counts.neuralEngine += 1
            case .gpu: counts.gpu += 1
            case .cpu: counts.cpu += 1
            default: break
            }
            for inner in operation.blocks { count(inner, &counts) }
        }
    }
}
#endif
