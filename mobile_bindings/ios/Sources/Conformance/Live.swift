import Foundation
import TallyLens

/// An engine that takes 80 ms and sees the walkers: the gray of a frame is the end of its number, which
/// tells when it was taken, and the heads say where the walkers are then.
final class WalkerEngine: Engine {
    /// Frames come in order, and never 256 of them are dropped together. Used by one thread at a time.
    nonisolated(unsafe) private var number = 0
    let metadata: ModelMetadata
    let name = "walkers"
    static let seconds = 0.08
    private static let stride = 32
    private static let columns = Walkers.width / stride
    private static let rows = Walkers.height / stride
    private static let document = """
        {"format_version": 1, "input_size": [480, 640], "colour_order": "RGB", "quantization": "none",
         "class_names": ["person"], "strides": [32], "anchors": [[[40, 60]]], "head_names": ["h"],
         "layout": "NHWC", "source_name": "walkers", "source_sha256": "", "weights_licence": "",
         "passes": []}
        """

    init() throws { metadata = try ModelMetadata(document: Data(WalkerEngine.document.utf8)) }

    func run(
        _ body: (UnsafeMutableRawBufferPointer, TensorFormat) throws -> Void,
        heads: ([Head]) throws -> Void
    ) throws {
        let bytes = 3 * Walkers.width * Walkers.height
        let input = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
        defer { input.deallocate() }
        let format = TensorFormat(type: .uint8, width: Walkers.width, height: Walkers.height)
        try body(input, format)
        number += (Int(input[0]) - number) & 255
        Thread.sleep(forTimeInterval: WalkerEngine.seconds)
        try WalkerEngine.head(Walkers.at(seconds: Double(number) / LiveRun.fps)).withUnsafeBytes {
            try heads([Head(index: 0, type: .float32, bytes: $0)])
        }
    }

    /// The raw head of boxes: offsets in their cell, the anchor's own size, sure of object and class.
    private static func head(_ boxes: [Detection]) -> [Float] {
        var values = [Float](repeating: -20, count: rows * columns * 6)
        for box in boxes {
            let (x, y) = ((box.x1 + box.x2) / 2 / Float(stride), (box.y1 + box.y2) / 2 / Float(stride))
            let (column, row) = (Int(x), Int(y))
            guard row < rows, column < columns else { continue }
            let at = (row * columns + column) * 6
            let cell = [logit(x - Float(column)), logit(y - Float(row)), 0, 0, 4, 4]
            values.replaceSubrange(at..<at + 6, with: cell)
        }
        return values
    }

    /// The value whose sigmoid, doubled and half a cell less, is `offset`.
    private static func logit(_ offset: Float) -> Float {
        let share = (offset + 0.5) / 2
        return log(share / (1 - share))
    }
}

/// A camera of 30 fps before a model of 80 ms, for so many seconds.
struct LiveRun {
    static let fps = 30.0
    let seconds: Double

    func frame(_ number: Int) throws -> sending Frame {
        let pixels = [UInt8](
            repeating: UInt8(number & 255), count: 3 * Walkers.width * Walkers.height)
        return try Frame(.bgr, width: Walkers.width, height: Walkers.height, copying: pixels)
    }

    func run() async throws -> [String: Double] {
        var options = CounterOptions()
        options.runningMode = .liveStream
        options.lines = [Line(0, 0.5, 1, 0.5)]
        let counter = try Counter(engine: try WalkerEngine(), options: options)
        // Nobody reads them.
        let updates = counter.updates
        let count = Int(seconds * LiveRun.fps)
        let start = ContinuousClock.now
        var early = 0.0
        for number in 0..<count {
            try await Task.sleep(until: start + .seconds(Double(number) / LiveRun.fps), clock: .continuous)
            let time = Timestamp(seconds: Double(number) / LiveRun.fps)
            counter.submit(try frame(number), at: time)
            if number == count / 3 { early = residentKiB() }
        }
        try await Task.sleep(for: .seconds(4 * WalkerEngine.seconds))
        let report = counter.report
        let late = residentKiB()
        withExtendedLifetime(updates) {}
        return [
            "offered": Double(count), "counted": Double(report.frames),
            "dropped": Double(report.dropped), "skipped": Double(report.skipped),
            "crossed": Double(report.lines[0].crossedIn["person"] ?? 0),
            "truth": Double(try crossed(count)), "early_kib": early, "late_kib": late,
        ]
    }

    /// How many walkers cross the line when every frame is counted.
    private func crossed(_ count: Int) throws -> Int {
        let counter = try Walkers.counter()
        for number in 0..<count {
            let seconds = Double(number) / LiveRun.fps
            _ = try counter.count(
                Walkers.at(seconds: seconds), width: Walkers.width, height: Walkers.height,
                at: Timestamp(seconds: seconds))
        }
        return counter.report.lines[0].crossedIn["person"] ?? 0
    }

    /// Resident memory of this process.
    private func residentKiB() -> Double {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line.flatMap { Double($0.filter(\.isNumber)) } ?? 0
    }
}

/// Runs a camera for so many seconds and prints what became of its frames, as JSON.
func live(_ words: [String]) throws {
    guard words.count == 1, let seconds = Double(words[0]), seconds > 0 else {
        throw UsageError(description: "live needs SECONDS")
    }
    let done = DispatchSemaphore(value: 0)
    Task {
        do {
            let found = try await LiveRun(seconds: seconds).run()
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            FileHandle.standardOutput.write(try encoder.encode(found) + Data("\n".utf8))
            done.signal()
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(2)
        }
    }
    done.wait()
}
