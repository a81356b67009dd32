import Foundation

/// The metadata that every artifact of tallylens carries; from an untrusted file, so checked field by
/// field.
public struct ModelMetadata: Sendable, Hashable {
    /// By class id.
    public let classNames: [String]
    /// Pixels.
    public private(set) var inputWidth: Int
    /// Pixels.
    public private(set) var inputHeight: Int
    /// Input pixels per cell of each head.
    public let strides: [Int]
    /// Of each head: width and height of each anchor in input pixels, one after the other; empty where
    /// `regMax` is above 0.
    public let anchors: [[Float]]
    /// Names of the outputs.
    public let headNames: [String]
    /// `NHWC` or `NCHW`.
    public let layout: String
    /// `none`, `fp16` or `int8`.
    public let quantization: String
    /// Name of the checkpoint.
    public let sourceName: String
    /// SHA-256 of the checkpoint, in hexadecimal digits; empty if unknown.
    public let sourceSHA256: String
    /// License of the weights; empty if unknown.
    public let weightsLicense: String
    /// What was done to the checkpoint, in order.
    public let passes: [Pass]
    /// 0 for heads with anchors (YOLOv5); else the bins of a box side of heads without
    /// (YOLOv5u, YOLOv8, YOLO11).
    public let regMax: Int

    /// One pass over the checkpoint, with its measured effect.
    public struct Pass: Sendable, Hashable, Decodable {
        /// What was done.
        public let name: String
        /// Names and values of what was measured.
        public let effect: [String: Figure]
    }

    /// A value of a pass.
    public enum Figure: Sendable, Hashable, Decodable {
        /// A number.
        case number(Double)
        /// A text.
        case text(String)

        /// A number or a text.
        public init(from decoder: any Decoder) throws {
            let here = try decoder.singleValueContainer()
            if let text = try? here.decode(String.self) {
                self = .text(text)
            } else {
                self = .number(try here.decode(Double.self))
            }
        }
    }

    private static let maxBytes = 1 << 20

    /// The metadata in one JSON document.
    public init(document: Data) throws(TallyLensError) {
        guard document.count <= ModelMetadata.maxBytes else {
            throw .model("the metadata is larger than \(ModelMetadata.maxBytes) bytes")
        }
        let fields = try MetadataFields(reading: document)
        if let expected = fields.problem {
            throw .model("the metadata is inconsistent: expected \(expected)")
        }
        classNames = fields.class_names
        inputHeight = fields.input_size[0]
        inputWidth = fields.input_size[1]
        strides = fields.strides
        anchors = fields.anchors.map { $0.flatMap { $0.map { Float($0) } } }
        headNames = fields.head_names
        layout = fields.layout
        quantization = fields.quantization
        sourceName = fields.source_name
        sourceSHA256 = fields.source_sha256
        weightsLicense = fields.weights_licence
        passes = fields.passes
        regMax = fields.reg_max ?? 0
    }

    /// The metadata of the same model with another input size.
    public func resized(width: Int, height: Int) -> ModelMetadata {
        var metadata = self
        (metadata.inputWidth, metadata.inputHeight) = (width, height)
        return metadata
    }

    /// Height, width and channels of head number `head`.
    public func headShape(_ head: Int) -> (height: Int, width: Int, channels: Int) {
        (inputHeight / strides[head], inputWidth / strides[head], channels(head))
    }

    private func channels(_ head: Int) -> Int {
        regMax > 0
            ? 4 * regMax + classNames.count : anchors[head].count / 2 * (5 + classNames.count)
    }
}
