#if canImport(CoreML)
import CoreML
import CoreVideo
import Foundation
import TallyLens

/// The input and output memory of one prediction at a time.
///
/// `@unchecked Sendable`, because it is used by who took it from the handle only.
final class PredictionSlot: @unchecked Sendable {
    let input: any MLFeatureProvider
    let options = MLPredictionOptions()
    let backings: [MLMultiArray]
    var result: Result<any MLFeatureProvider, any Error>?
    private let buffer: CVPixelBuffer

    init(
        _ metadata: ModelMetadata, _ inputName: String, _ outputs: [String: MLFeatureDescription]
    ) throws {
        buffer = try PredictionSlot.makeBuffer(metadata.inputWidth, metadata.inputHeight)
        input = try MLDictionaryFeatureProvider(
            dictionary: [inputName: MLFeatureValue(pixelBuffer: buffer)])
        backings = try PredictionSlot.makeBackings(metadata, outputs)
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

    /// Let `body` write the input.
    func write(
        _ metadata: ModelMetadata,
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
}
#endif
