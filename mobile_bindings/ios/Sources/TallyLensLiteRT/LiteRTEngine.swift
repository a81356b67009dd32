import CLiteRT
import CTally
import Foundation
import TallyLens

/// Runs `.tflite` models with LiteRT, whose library is found at run time: on Linux and macOS, for tests
/// and servers. Frames of one engine are run one after the other.
public final class LiteRTEngine: Engine {
    /// What the model file says about itself.
    public let metadata: ModelMetadata
    /// What runs the model: `litert-xnnpack`.
    public let name: String
    /// A sentence if the model does not run entirely on the processor that was asked for.
    public var warning: String? {
        let all = [opened, inputs.refusal].compactMap { $0 }
        return all.isEmpty ? nil : all.joined(separator: "; ")
    }
    private let opened: String?
    private let handle: Handle
    private let inputs = ResizedEngines()
    private let library: String?
    private let threads: Int

    /// The engine and its model, behind one lock.
    ///
    /// `@unchecked Sendable`, because the pointers are used under `lock` only.
    private final class Handle: @unchecked Sendable {
        let lock = NSLock()
        let engine: OpaquePointer
        let input: UnsafeMutableRawBufferPointer
        let format: TensorFormat
        let outputs: [Int32]
        let model: Data

        init(
            _ engine: OpaquePointer, _ model: Data, _ tensor: tally_tensor, _ outputs: [Int32]
        ) {
            self.engine = engine
            self.model = model
            self.outputs = outputs
            input = UnsafeMutableRawBufferPointer(start: tensor.data, count: tensor.bytes)
            format = TensorFormat(
                type: DataType(rawValue: tensor.dtype)!,
                layout: TensorLayout(rawValue: tensor.layout)!, width: Int(tensor.width),
                height: Int(tensor.height))
        }

        deinit { tally_engine_destroy(engine) }
    }

    /// Load a model that `tallylens convert` wrote.
    ///
    /// - Parameters:
    ///   - library: path or name of the LiteRT library; nil for the platform's own name.
    ///   - threads: of the CPU, 1 to 64.
    public convenience init(
        contentsOf url: URL, library: String? = nil, threads: Int = 1
    ) throws(TallyLensError) {
        let model: Data
        do {
            model = try Data(contentsOf: url, options: .alwaysMapped)
        } catch {
            throw TallyLensError(
                .model, "\(url.lastPathComponent) cannot be read", "Check the path")
        }
        let metadata = try ModelMetadata(document: try ModelFile.document(model))
        try self.init(model, metadata, library: library, threads: threads, resizes: false)
    }

    /// - Parameter resizes: the input gets the size in `metadata`, which is not that of the file.
    private init(
        _ model: Data, _ metadata: ModelMetadata, library: String?, threads: Int, resizes: Bool
    ) throws(TallyLensError) {
        self.metadata = metadata
        (self.library, self.threads) = (library, threads)
        let engine = try LiteRTEngine.open(model, library, threads, resizes ? metadata : nil)
        do throws(TallyLensError) {
            var tensor = tally_tensor()
            tensor.struct_size = UInt32(MemoryLayout<tally_tensor>.size)
            try LiteRTEngine.checkInput(engine, &tensor, metadata)
            let outputs = try LiteRTEngine.order(engine, metadata)
            handle = Handle(engine, model, tensor, outputs)
        } catch {
            tally_engine_destroy(engine)
            throw error
        }
        name = String(cString: tally_engine_name(engine))
        opened = tally_engine_warning(engine).map { String(cString: $0) }
    }

    /// The same model for another input size; nil, with a `warning`, if LiteRT does not run it so.
    public func resized(width: Int, height: Int) throws -> (any Engine)? {
        try inputs.engine(width, height, refusal: "the input stays "
            + "\(metadata.inputWidth)x\(metadata.inputHeight), because LiteRT does not resize it"
        ) {
            let here = metadata.resized(width: width, height: height)
            guard let model = try ModelFile.resized(handle.model, from: metadata, to: here) else {
                return nil
            }
            return try LiteRTEngine(
                model, here, library: library, threads: threads, resizes: true)
        }
    }

    /// One inference.
    public func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        handle.lock.lock()
        defer { handle.lock.unlock() }
        try body(handle.input, handle.format)
        if tally_engine_run(handle.engine) != 0 {
            throw TallyLensError(
                .engine, String(cString: tally_engine_error(handle.engine)),
                "Report it with the model")
        }
        var found: [Head] = []
        found.reserveCapacity(handle.outputs.count)
        for (index, number) in handle.outputs.enumerated() {
            var output = tally_engine_output()
            output.struct_size = UInt32(MemoryLayout<tally_engine_output>.size)
            _ = tally_engine_get_output(handle.engine, number, &output)
            found.append(
                Head(
                    index: index, type: DataType(rawValue: output.dtype)!,
                    bytes: UnsafeRawBufferPointer(start: output.data, count: output.bytes),
                    scale: output.scale, zeroPoint: Int(output.zero_point)))
        }
        try heads(found)
    }
}

extension LiteRTEngine {
    private static func open(
        _ model: Data, _ library: String?, _ threads: Int, _ input: ModelMetadata?
    ) throws(TallyLensError) -> OpaquePointer {
        var options = tally_engine_options()
        options.struct_size = UInt32(MemoryLayout<tally_engine_options>.size)
        _ = tally_engine_defaults(&options)
        options.num_threads = Int32(clamping: threads)
        if let input {
            options.input_width = Int32(clamping: input.inputWidth)
            options.input_height = Int32(clamping: input.inputHeight)
        }
        var error = [CChar](repeating: 0, count: 1024)
        var opened: OpaquePointer?
        func open(_ path: UnsafePointer<CChar>?) -> Int32 {
            options.library = path
            return model.withUnsafeBytes {
                tally_engine_open($0.baseAddress, $0.count, &options, &opened, &error, error.count)
            }
        }
        let status = library.map { $0.withCString { open($0) } } ?? open(nil)
        if status == 0, let opened { return opened }
        let parts = ModelFile.text(error).components(separatedBy: "; ")
        let remedy = parts.count > 1 ? parts.last! : "update LiteRT or tallylens"
        let problem = parts.count > 1 ? parts.dropLast().joined(separator: "; ") : parts[0]
        let kind: TallyLensError.Kind
        switch status {
        case Int32(TALLY_ENGINE_BAD_MODEL.rawValue): kind = .model
        case Int32(TALLY_INVALID_ARGUMENT.rawValue): kind = .usage
        default: kind = .engine
        }
        throw TallyLensError(kind, problem, remedy.prefix(1).uppercased() + remedy.dropFirst())
    }

    private static func checkInput(
        _ engine: OpaquePointer, _ tensor: inout tally_tensor, _ metadata: ModelMetadata
    ) throws(TallyLensError) {
        var scale: Float = 1
        var zeroPoint: Int32 = 0
        guard tally_engine_input(engine, &tensor, &scale, &zeroPoint) == 0 else {
            throw ModelFile.bad(String(cString: tally_engine_error(engine)))
        }
        if Int(tensor.width) != metadata.inputWidth || Int(tensor.height) != metadata.inputHeight {
            throw ModelFile.bad(
                "the input is \(tensor.width)x\(tensor.height), by its metadata "
                    + "\(metadata.inputWidth)x\(metadata.inputHeight)")
        }
        let type = DataType(rawValue: tensor.dtype)
        let pixel: Float = 1 / 255
        let right = type == .float32 || (type == .uint8 && zeroPoint == 0)
            || (type == .int8 && zeroPoint == -128)
        if !right || (type != .float32 && abs(scale - pixel) > 0.02 * pixel) {
            throw ModelFile.bad(
                "the input has scale \(scale) and zero point \(zeroPoint), so that it does not take "
                    + "pixel values as they are")
        }
    }

    /// The output of each head: by name, else by grid size, because converters rename outputs.
    private static func order(
        _ engine: OpaquePointer, _ metadata: ModelMetadata
    ) throws(TallyLensError) -> [Int32] {
        var outputs: [tally_engine_output] = []
        for number in 0..<tally_engine_num_outputs(engine) {
            var output = tally_engine_output()
            output.struct_size = UInt32(MemoryLayout<tally_engine_output>.size)
            _ = tally_engine_get_output(engine, number, &output)
            outputs.append(output)
        }
        guard outputs.count == metadata.headNames.count else {
            throw ModelFile.bad(
                "the number of outputs is \(outputs.count), by its metadata "
                    + "\(metadata.headNames.count)")
        }
        let names = outputs.map { String(cString: $0.name) }
        var order = metadata.headNames.map { name in names.firstIndex(of: name) ?? -1 }
        if Set(names) != Set(metadata.headNames) {
            let bySize = outputs.indices.sorted { cells(outputs[$0]) > cells(outputs[$1]) }
            let heads = metadata.strides.indices.sorted {
                metadata.strides[$0] < metadata.strides[$1]
            }
            for (head, output) in zip(heads, bySize) { order[head] = output }
        }
        for (head, output) in order.enumerated() {
            let shape = metadata.headShape(head)
            let expected = [1, shape.height, shape.width, shape.channels].map { Int32($0) }
            if dimensions(outputs[output]) != expected {
                throw ModelFile.bad(
                    "head \(metadata.headNames[head]) has shape \(dimensions(outputs[output])), by its "
                        + "metadata \(expected)")
            }
        }
        return order.map { Int32($0) }
    }

    private static func cells(_ output: tally_engine_output) -> Int32 {
        let sides = dimensions(output)
        return sides.count > 2 ? sides[1] * sides[2] : 0
    }

    private static func dimensions(_ output: tally_engine_output) -> [Int32] {
        withUnsafeBytes(of: output.dimensions) {
            Array($0.bindMemory(to: Int32.self).prefix(Int(output.rank)))
        }
    }
}
