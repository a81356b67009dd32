/// Type of the numbers of an input or output.
public enum DataType: Int32, Sendable {
    /// 0 to 255.
    case uint8 = 0
    /// -128 to 127.
    case int8 = 1
    /// 32 bit.
    case float32 = 2
    /// 16 bit; outputs only.
    case float16 = 3
}

/// Order of the dimensions of an input or output.
public enum TensorLayout: Int32, Sendable {
    /// Channels last.
    case nhwc = 0
    /// Channels first.
    case nchw = 1
}

/// How an engine's input lies in memory.
public struct TensorFormat: Sendable, Hashable {
    /// Type of its numbers: uint8, int8 or float32.
    public var type: DataType
    /// Order of its dimensions.
    public var layout: TensorLayout
    /// Pixels.
    public var width: Int
    /// Pixels.
    public var height: Int
    /// Bytes from row to row; 0 for no bytes between rows.
    public var rowBytes: Int
    /// 4 bytes per pixel, blue first, in place of RGB; uint8 only.
    public var isBGRA: Bool

    /// An input of this size.
    public init(
        type: DataType, layout: TensorLayout = .nhwc, width: Int, height: Int, rowBytes: Int = 0,
        isBGRA: Bool = false
    ) {
        self.type = type
        self.layout = layout
        self.width = width
        self.height = height
        self.rowBytes = rowBytes
        self.isBGRA = isBGRA
    }
}

/// One raw output of a model, where the engine has it.
public struct Head {
    /// Number of the head in the model's metadata.
    public var index: Int
    /// Type of its numbers.
    public var type: DataType
    /// Order of its dimensions, where the strides are 0.
    public var layout: TensorLayout
    /// Its memory.
    public var bytes: UnsafeRawBufferPointer
    /// real = scale * (raw - zeroPoint), of integer types.
    public var scale: Float
    /// See `scale`.
    public var zeroPoint: Int
    /// Elements from row to row, from cell to cell and from channel to channel; 0 as `layout` says,
    /// without padding.
    public var strides: (row: Int, column: Int, channel: Int)

    /// A head in the engine's memory.
    public init(
        index: Int, type: DataType, layout: TensorLayout = .nhwc, bytes: UnsafeRawBufferPointer,
        scale: Float = 1, zeroPoint: Int = 0,
        strides: (row: Int, column: Int, channel: Int) = (0, 0, 0)
    ) {
        self.index = index
        self.type = type
        self.layout = layout
        self.bytes = bytes
        self.scale = scale
        self.zeroPoint = zeroPoint
        self.strides = strides
    }
}

/// Runs a model. One inference at a time: an engine that counters share has its own lock.
public protocol Engine: Sendable {
    /// What the model file says about itself.
    var metadata: ModelMetadata { get }
    /// What runs the model, for reports.
    var name: String { get }
    /// A sentence for reports if the model does not run as asked for, else nil.
    var warning: String? { get }

    /// An engine of the same model with an input of `width` x `height` pixels, multiples of the largest
    /// stride; nil if the model has the input of its file only.
    func resized(width: Int, height: Int) throws -> (any Engine)?

    /// One inference: `body` writes the input, `heads` reads the outputs, which are valid during the
    /// call only.
    func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws

    /// How many inferences of `runConcurrently` may be in progress at a time.
    var concurrentRuns: Int { get }

    /// As `run`, also while others are in progress, each on a thread that may wait.
    func runConcurrently(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws
}

extension Engine {
    /// Nothing to say.
    public var warning: String? { nil }

    /// The input of the file only.
    public func resized(width: Int, height: Int) throws -> (any Engine)? { nil }

    /// One.
    public var concurrentRuns: Int { 1 }

    /// One at a time.
    public func runConcurrently(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        try run(body, heads: heads)
    }
}
