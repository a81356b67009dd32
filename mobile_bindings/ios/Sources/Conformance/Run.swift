import Foundation
import TallyLens
import TallyLensLiteRT

/// A wrong command line.
struct UsageError: Error, CustomStringConvertible {
    let description: String
}

/// What the command line asks for.
struct Arguments {
    var options = CounterOptions()
    var library: String?
    var trace: String?
    var state: String?
    var everySeconds = 5.0
    let frames: String
    let model: String

    init(_ words: [String]) throws {
        guard words.count >= 2 else { throw UsageError(description: "FRAMES and MODEL are needed") }
        frames = words[0]
        model = words[1]
        options.source = frames
        var rest = words.dropFirst(2)
        while let name = rest.popFirst() {
            if name == "--any-class" {
                options.anyClass = true
                continue
            }
            guard let value = rest.popFirst() else {
                throw UsageError(description: "\(name) needs a value")
            }
            try set(name, value)
        }
    }

    private mutating func set(_ name: String, _ value: String) throws {
        switch name {
        case "--line":
            let ends = numbers(value)
            guard ends.count == 4 else { throw UsageError(description: "a line has four numbers") }
            options.lines.append(Line(ends[0], ends[1], ends[2], ends[3]))
        case "--zone": options.zones.append(Zone(numbers(value)))
        case "--classes": options.classes = Set(value.split(separator: ",").map(String.init))
        case "--litert": library = value
        case "--trace": trace = value
        case "--state": state = value
        case "--every": everySeconds = Double(value) ?? 5
        default: throw UsageError(description: "unknown option \(name)")
        }
    }

    private func numbers(_ text: String) -> [Double] {
        text.split(separator: ",").compactMap { Double($0.trimmingCharacters(in: .whitespaces)) }
    }
}

/// Count the frames and print the report.
func run(_ words: [String]) throws {
    let arguments = try Arguments(words)
    let engine = try LiteRTEngine(
        contentsOf: URL(fileURLWithPath: arguments.model), library: arguments.library)
    let frames = try FrameFile(arguments.frames)
    let counter = try Counter(
        engine: engine, options: arguments.options, modelName: arguments.model)
    let trace = try arguments.trace.map { try Trace($0) }
    var saver = Saver(arguments)
    let start = try saver.restore(counter)
    var before = 0.0
    for index in start..<frames.count {
        let (time, frame) = try frames.frame(index)
        let began = DispatchTime.now().uptimeNanoseconds
        let update = try counter.count(frame, at: time)
        let nanos = DispatchTime.now().uptimeNanoseconds - began
        if let trace {
            let all = counter.report.speed.hostMs * Double(index - start + 1)
            let host = UInt64(max(all - before, 0) * 1e6)
            before = all
            trace.write(time.nanoseconds, nanos, host, update.detections, update.events)
        }
        try saver.save(counter, time)
    }
    let last = try counter.conclude()
    if !last.isEmpty { trace?.write(-1, 0, 0, [], last) }
    trace?.close()
    FileHandle.standardOutput.write(try counter.report.json() + Data("\n".utf8))
}

/// Saves the count every few seconds of capture time, beside the file and renamed.
struct Saver {
    private let path: URL?
    private let every: Int64
    private var last = Int64.min

    init(_ arguments: Arguments) {
        path = arguments.state.map { URL(fileURLWithPath: $0) }
        every = Int64(arguments.everySeconds * 1e9)
    }

    /// Go on from the file; the number of frames that are counted in it.
    func restore(_ counter: Counter) throws -> Int {
        guard let path, FileManager.default.fileExists(atPath: path.path) else { return 0 }
        try counter.restoreState(try Data(contentsOf: path))
        return counter.report.frames
    }

    mutating func save(_ counter: Counter, _ time: Timestamp) throws {
        guard let path else { return }
        if last == .min { last = time.nanoseconds }
        if time.nanoseconds - last < every { return }
        last = time.nanoseconds
        try counter.saveState().write(to: path, options: .atomic)
    }
}

/// Writes what each frame gave, as JSON lines.
final class Trace {
    private let file: UnsafeMutablePointer<FILE>

    init(_ path: String) throws {
        guard let file = fopen(path, "w") else {
            throw UsageError(description: "\(path) cannot be written")
        }
        self.file = file
    }

    /// - Parameters:
    ///   - nanos: time of the whole frame.
    ///   - host: of these, what was not inference.
    func write(
        _ time: Int64, _ nanos: UInt64, _ host: UInt64, _ detections: [Detection],
        _ events: [CountEvent]
    ) {
        let boxes = detections.map { one in
            let bits = [one.x1, one.y1, one.x2, one.y2, one.confidence].map { "\(signed($0))" }
            return "[\(bits.joined(separator: ",")),\(one.classID)]"
        }
        let rows = events.map { one in
            let numbers =
                [one.timestamp.nanoseconds, one.trackID] + [
                    one.classID, one.previousClassID, one.place,
                ].map { Int64($0) }
                + [one.x, one.y, one.confidence, one.ageSeconds, one.dwellSeconds].map {
                    Int64(signed($0))
                }
            let words = numbers.map { "\($0)" }.joined(separator: ",")
            return "[\"\(one.kind.rawValue)\",\(words),\(quoted(one.className)),\(quoted(one.region))]"
        }
        let line =
            "{\"timestamp_ns\":\(time),\"nanos\":\(nanos),\"host_nanos\":\(host),\"detections\":[\(boxes.joined(separator: ","))]"
            + ",\"events\":[\(rows.joined(separator: ","))]}\n"
        fputs(line, file)
    }

    func close() { fclose(file) }

    private func signed(_ value: Float) -> Int32 { Int32(bitPattern: value.bitPattern) }

    private func quoted(_ text: String) -> String {
        String(decoding: (try? JSONEncoder().encode(text)) ?? Data("\"\"".utf8), as: UTF8.self)
    }
}
