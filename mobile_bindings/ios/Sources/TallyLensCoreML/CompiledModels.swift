#if canImport(CoreML)
import CoreML
import CryptoKit
import Foundation
import TallyLens

/// Compiled packages in the caches folder, by the SHA-256 of their files.
enum CompiledModels {
    static func compiled(_ url: URL) async throws -> URL {
        if url.pathExtension == "mlmodelc" { return url }
        let folder = FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask)[0]
            .appendingPathComponent("tallylens", isDirectory: true)
        let place = folder.appendingPathComponent("\(try digest(url)).mlmodelc", isDirectory: true)
        if FileManager.default.fileExists(atPath: place.path) { return place }
        let made: URL
        do {
            made = try await MLModel.compileModel(at: url)
        } catch {
            throw TallyLensError(
                .model, "Core ML cannot compile \(url.lastPathComponent): \(error)",
                "Copy or convert it again")
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // Two loads at once: the first to arrive is kept, both are the same.
        try? FileManager.default.moveItem(at: made, to: place)
        return FileManager.default.fileExists(atPath: place.path) ? place : made
    }

    /// SHA-256 over the names and contents of all files, in order of their names.
    static func digest(_ url: URL) throws -> String {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: url.path))?.sorted() ?? []
        var hash = SHA256()
        for name in names.isEmpty ? [""] : names {
            let file = name.isEmpty ? url : url.appendingPathComponent(name)
            if try isFolder(file) { continue }
            let content = try Data(contentsOf: file, options: .alwaysMapped)
            hash.update(data: Data("\(name)\u{0}\(content.count)\u{0}".utf8))
            hash.update(data: content)
        }
        return hash.finalize().map { String(format: "%02x", $0) }.joined()
    }

    private static func isFolder(_ url: URL) throws -> Bool {
        do {
            return try url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true
        } catch {
            throw TallyLensError(.model, "\(url.path) cannot be read", "Check the path of the model")
        }
    }
}
#endif
