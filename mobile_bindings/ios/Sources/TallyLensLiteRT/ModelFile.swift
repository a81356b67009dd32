import CTally
import Foundation
import TallyLens

/// Model files, which the core checks before LiteRT reads them: LiteRT ends the process on some damaged
/// ones.
enum ModelFile {
    /// The metadata inside of a model file.
    static func document(_ model: Data) throws(TallyLensError) -> Data {
        var error = [CChar](repeating: 0, count: 512)
        var opened: OpaquePointer?
        let status = model.withUnsafeBytes {
            tally_model_open(
                $0.bindMemory(to: UInt8.self).baseAddress, $0.count, 1, &opened, &error, error.count)
        }
        guard status == TALLY_OK else {
            let kind: TallyLensError.Kind =
                status == TALLY_UNSUPPORTED_MODEL ? .unsupportedModel : .model
            throw TallyLensError(
                kind, text(error), "Convert the original checkpoint again with tallylens convert")
        }
        defer { tally_model_destroy(opened) }
        var document: UnsafePointer<CChar>?
        var size = 0
        guard tally_model_document(opened, &document, &size) == TALLY_OK, let document else {
            throw bad("the model has no metadata")
        }
        return Data(bytes: document, count: size)
    }

    /// A copy of the model for another input size; nil if it depends on its own.
    static func resized(
        _ model: Data, from old: ModelMetadata, to new: ModelMetadata
    ) throws(TallyLensError) -> Data? {
        var copy = Data(Array(model))
        let status = copy.withUnsafeMutableBytes {
            tally_model_resize(
                $0.bindMemory(to: UInt8.self).baseAddress, $0.count,
                Int32(clamping: old.inputWidth), Int32(clamping: old.inputHeight),
                Int32(clamping: new.inputWidth), Int32(clamping: new.inputHeight))
        }
        switch status {
        case TALLY_OK: return copy
        case TALLY_UNSUPPORTED_MODEL: return nil
        default: throw bad(tally_status_text(Int32(status.rawValue)).map { String(cString: $0) } ?? "")
        }
    }

    static func bad(_ problem: String) -> TallyLensError {
        TallyLensError(
            .model, problem, "Convert the original checkpoint again with tallylens convert")
    }

    static func text(_ characters: [CChar]) -> String {
        String(
            decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
