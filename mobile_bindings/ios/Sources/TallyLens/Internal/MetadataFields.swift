import Foundation

/// The fields of a model's metadata document, by their keys.
struct MetadataFields: Decodable {
    var input_size: [Int]
    var colour_order: String
    var quantization: String
    var class_names: [String]
    var strides: [Int]
    var anchors: [[[Double]]]
    var head_names: [String]
    var layout: String
    var source_name: String
    var source_sha256: String
    var weights_licence: String
    var passes: [ModelMetadata.Pass]
    /// Of version 2 only: heads without anchors.
    var reg_max: Int?

    private struct Version: Decodable { var format_version: Int }

    /// With anchors, and without.
    private static let versions = 1...2
    private static let broken = "a field of the metadata is missing or has the wrong type"

    /// The fields of a document of a known version, all there and of the right type.
    init(reading document: Data) throws(TallyLensError) {
        let version = try MetadataFields.version(document)
        do {
            self = try JSONDecoder().decode(MetadataFields.self, from: document)
        } catch {
            throw .model(MetadataFields.broken)
        }
        if version == MetadataFields.versions.lowerBound {
            reg_max = nil
        } else if reg_max == nil {
            throw .model(MetadataFields.broken)
        }
    }

    private static func version(_ document: Data) throws(TallyLensError) -> Int {
        let version: Int
        do {
            version = try JSONDecoder().decode(Version.self, from: document).format_version
        } catch {
            throw .model(broken)
        }
        if versions.contains(version) { return version }
        throw TallyLensError(
            .model,
            "unsupported metadata format version \(version); this tallylens reads versions "
                + "\(versions.lowerBound) and \(versions.upperBound)",
            "Update tallylens, or convert the original checkpoint again")
    }

    /// The first rule that the fields break, in words, or nil.
    var problem: String? {
        lengthProblem ?? headProblem ?? inputProblem
    }

    private var lengthProblem: String? {
        let names = class_names + head_names + passes.map(\.name) + passes.flatMap(\.effect.keys)
        let texts = passes.flatMap(\.effect.values).compactMap { figure -> String? in
            if case .text(let text) = figure { text } else { nil }
        }
        if !(1...10_000).contains(class_names.count) { return "1 to 10000 classes" }
        if names.contains(where: { isLonger($0, 200) }) { return "names of 200 characters at most" }
        if (texts + [source_name, weights_licence]).contains(where: { isLonger($0, 1000) }) {
            return "texts of 1000 characters at most"
        }
        return isLonger(source_sha256, 64) ? "a hash of 64 digits at most" : nil
    }

    private var headProblem: String? {
        let heads = head_names.count
        if !(1...8).contains(heads) { return "1 to 8 heads" }
        if strides.count != heads || anchors.count != heads {
            return "one stride and one list of anchors per head"
        }
        if !strides.allSatisfy((1...1024).contains) { return "strides of 1 to 1024" }
        if let reg_max {
            if !(2...64).contains(reg_max) { return "2 to 64 bins of a box side" }
            return anchors.allSatisfy(\.isEmpty) ? nil : "no anchors"
        }
        if !anchors.allSatisfy({ (1...16).contains($0.count) }) { return "1 to 16 anchors per head" }
        let pairs = anchors.flatMap { $0 }
        if !pairs.allSatisfy({ $0.count == 2 && $0.allSatisfy { $0 > 0 && $0 < .infinity } }) {
            return "anchors above zero"
        }
        return nil
    }

    private var inputProblem: String? {
        let largest = strides.max() ?? 1
        if input_size.count != 2 { return "a height and a width" }
        if !input_size.allSatisfy({ (1...8192).contains($0) && $0 % largest == 0 }) {
            return "an input size in multiples of the largest stride, up to 8192 pixels"
        }
        if !["NHWC", "NCHW"].contains(layout) { return "layout NHWC or NCHW" }
        if colour_order != "RGB" { return "color order RGB" }
        if !["none", "fp16", "int8"].contains(quantization) {
            return "quantization none, fp16 or int8"
        }
        return nil
    }

    private func isLonger(_ text: String, _ limit: Int) -> Bool { text.unicodeScalars.count > limit }
}
