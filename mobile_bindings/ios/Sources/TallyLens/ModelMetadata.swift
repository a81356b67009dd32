import Foundation

/// The metadata that every artifact of tallylens carries; from an untrusted file, so checked field by
/// field.
public struct ModelMetadata: Sendable, Hashable {
    /// By class id.
    public let classNames: [String]
    /// Pixels.
    public let inputWidth: Int
    /// Pixels.
    public let inputHeight: Int
    /// Input pixels per cell of each head.
    public let strides: [Int]
    /// Of each head: width and height of each anchor in input pixels, one after the other.
    public let anchors: [[Float]]
    /// Names of the outputs.
    public let headNames: [String]
    /// `NHWC` or `NCHW`.
    public let layout: String
    /// Name of the checkpoint.
    public let sourceName: String
    /// `none`, `fp16` or `int8`.
    public let quantization: String

    private static let maxBytes = 1 << 20

    private struct Document: Decodable {
        var input_size: [Int]
        var colour_order: String
        var quantization: String
        var class_names: [String]
        var strides: [Int]
        var anchors: [[[Double]]]
        var head_names: [String]
        var layout: String
        var source_name: String
    }

    private struct Version: Decodable { var format_version: Int }

    /// The metadata in one JSON document.
    public init(document: Data) throws(TallyLensError) {
        guard document.count <= ModelMetadata.maxBytes else {
            throw .model("the metadata is larger than \(ModelMetadata.maxBytes) bytes")
        }
        let fields: Document
        do {
            let version = try JSONDecoder().decode(Version.self, from: document).format_version
            guard version == 1 else {
                throw TallyLensError(
                    .model,
                    "unsupported metadata format version \(version); this tallylens reads version 1",
                    "Update tallylens, or convert the original checkpoint again")
            }
            fields = try JSONDecoder().decode(Document.self, from: document)
        } catch let error as TallyLensError {
            throw error
        } catch {
            throw .model("a field of the metadata is missing or has the wrong type")
        }
        if let expected = ModelMetadata.problem(fields) {
            throw .model("the metadata is inconsistent: expected \(expected)")
        }
        classNames = fields.class_names
        inputHeight = fields.input_size[0]
        inputWidth = fields.input_size[1]
        strides = fields.strides
        anchors = fields.anchors.map { $0.flatMap { $0.map { Float($0) } } }
        headNames = fields.head_names
        layout = fields.layout
        sourceName = fields.source_name
        quantization = fields.quantization
    }

    /// Height, width and channels of head number `head`.
    public func headShape(_ head: Int) -> (height: Int, width: Int, channels: Int) {
        (
            inputHeight / strides[head], inputWidth / strides[head],
            anchors[head].count / 2 * (5 + classNames.count)
        )
    }

    /// The first rule that a document breaks, in words, or nil.
    private static func problem(_ fields: Document) -> String? {
        let heads = fields.head_names.count
        let names = fields.class_names + fields.head_names
        if fields.input_size.count != 2 { return "a height and a width" }
        if !(1...10_000).contains(fields.class_names.count) { return "1 to 10000 classes" }
        if names.contains(where: { $0.count > 200 }) { return "names of 200 characters at most" }
        if fields.source_name.count > 1000 { return "a source name of 1000 characters at most" }
        if !(1...8).contains(heads) { return "1 to 8 heads" }
        if fields.strides.count != heads || fields.anchors.count != heads {
            return "one stride and one list of anchors per head"
        }
        if !fields.strides.allSatisfy((1...1024).contains) { return "strides of 1 to 1024" }
        if !fields.anchors.allSatisfy({ (1...16).contains($0.count) }) {
            return "1 to 16 anchors per head"
        }
        let pairs = fields.anchors.flatMap { $0 }
        if !pairs.allSatisfy({ $0.count == 2 && $0.allSatisfy { $0 > 0 && $0 < .infinity } }) {
            return "anchors above zero"
        }
        let largest = fields.strides.max()!
        if !fields.input_size.allSatisfy({ (1...8192).contains($0) && $0 % largest == 0 }) {
            return "an input size in multiples of the largest stride, up to 8192 pixels"
        }
        if !["NHWC", "NCHW"].contains(fields.layout) { return "layout NHWC or NCHW" }
        if fields.colour_order != "RGB" { return "color order RGB" }
        if !["none", "fp16", "int8"].contains(fields.quantization) {
            return "quantization none, fp16 or int8"
        }
        return nil
    }
}
