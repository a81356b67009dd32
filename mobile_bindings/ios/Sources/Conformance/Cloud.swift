import Foundation
import TallyLens
import TallyLensLiteRT
import TallyLensLoopback

private let key = Secret(ProcessInfo.processInfo.environment["TALLYLENS_API_KEY"] ?? "")

/// What the answers of a server were.
private final class Answers: Sendable {
    struct State {
        var found: [Int64: [Detection]] = [:]
        var repeated = 0
        var missing: [String: Int] = [:]
        var isOver = false
    }

    private let lock = NSLock()
    nonisolated(unsafe) private var state = State()

    func use<R: Sendable>(_ body: (inout State) -> R) -> R {
        lock.lock()
        defer { lock.unlock() }
        return body(&state)
    }

    func take(_ time: Timestamp, _ answer: CloudAnswer) {
        use { state in
            switch answer {
            case .detections(let found):
                if state.found.updateValue(found, forKey: time.nanoseconds) != nil {
                    state.repeated += 1
                }
            case .none(let reason): state.missing[reason, default: 0] += 1
            }
        }
    }
}

private struct CloudResult: Encodable {
    var answered: Int
    var repeated: Int
    var missing: [String: Int]
    var connections: Int
    var report: CountReport
}

/// Has a server detect all frames at a camera's pace, count here, and print what happened.
///
///     FRAMES URL FPS
func askServer(_ words: [String]) throws {
    guard words.count == 3, let fps = Double(words[2]), fps > 0 else {
        throw UsageError(description: "FRAMES, URL and FPS are needed")
    }
    let frames = try FrameFile(words[0])
    let answers = Answers()
    let cloud = try CloudDetector(
        server: words[1], key: key, transport: LoopbackTransport(), onAnswer: answers.take
    ) { error in
        answers.use { state in
            state.missing["refused: \(error)", default: 0] += 1
            state.isOver = true
        }
    }
    let start = Date()
    for index in 0..<frames.count {
        let (time, pixels) = try frames.pixels(index)
        Thread.sleep(until: start + Double(index) / fps)
        while !answers.use({ $0.isOver }),
            try !cloud.ask(
                pixels, width: frames.width, height: frames.height, codec: .raw, at: time,
                deadline: .seconds(60))
        { Thread.sleep(forTimeInterval: 0.002) }
    }
    while cloud.inFlight > 0 && !answers.use({ $0.isOver }) { Thread.sleep(forTimeInterval: 0.005) }
    let classNames = cloud.classNames.isEmpty ? ["none"] : cloud.classNames
    let connections = cloud.connections
    cloud.close()
    var options = CounterOptions()
    options.lines = [Line(0.5, 0, 0.5, 1)]
    let counter = try Counter(classNames: classNames, options: options)
    let state = answers.use { $0 }
    for (time, found) in state.found.sorted(by: { $0.key < $1.key }) {
        _ = try counter.count(
            found, width: frames.width, height: frames.height, at: Timestamp(nanoseconds: time))
    }
    try counter.conclude()
    try show(
        CloudResult(
            answered: state.found.count, repeated: state.repeated, missing: state.missing,
            connections: connections, report: counter.report))
}

/// Count with a model here and a server, and print the report.
///
///     FRAMES MODEL URL never|auto|always [--litert LIBRARY] [--digest SHA256] [--deadline SECONDS]
///     [--fps N] [--live]
///
/// `--fps` gives the frames at a camera's pace, `--live` as a live stream.
func countWithServer(_ words: [String]) throws {
    guard words.count >= 4, let mode = OffloadMode(rawValue: words[3]) else {
        throw UsageError(description: "FRAMES, MODEL, URL and a mode are needed")
    }
    var named: [String: String] = [:]
    var rest = words.dropFirst(4)
    while let name = rest.popFirst() { named[name] = name == "--live" ? "" : rest.popFirst() ?? "" }
    var options = CounterOptions()
    options.lines = [Line(0.5, 0, 0.5, 1)]
    options.runningMode = named["--live"] == nil ? .video : .liveStream
    var offload = OffloadOptions(server: words[2], key: key, transport: LoopbackTransport())
    offload.mode = mode
    offload.modelDigest = named["--digest"] ?? ""
    offload.deadline = named["--deadline"].flatMap(Double.init).map { .seconds($0) }
    offload.onNotice = { FileHandle.standardError.write(Data("\($0)\n".utf8)) }
    options.offload = offload
    let engine = try LiteRTEngine(
        contentsOf: URL(fileURLWithPath: words[1]), library: named["--litert"])
    let frames = try FrameFile(words[0])
    let counter = try Counter(engine: engine, options: options, modelName: words[1])
    let period = named["--fps"].flatMap(Double.init).map { 1 / $0 } ?? 0
    let start = Date()
    for index in 0..<frames.count {
        Thread.sleep(until: start + Double(index) * period)
        if options.runningMode == .video {
            let (time, frame) = try frames.frame(index)
            _ = try counter.count(frame, at: time)
        } else {
            let (time, pixels) = try frames.pixels(index)
            let frame = try Frame(
                .bgr, width: frames.width, height: frames.height, copying: Array(pixels))
            counter.submit(frame, at: time)
        }
    }
    let seen = { counter.report.frames + counter.report.dropped + counter.report.skipped }
    while options.runningMode == .liveStream && seen() < frames.count {
        Thread.sleep(forTimeInterval: 0.01)
    }
    try counter.conclude()
    try show(counter.report)
    counter.close()
}

private func show(_ result: some Encodable) throws {
    FileHandle.standardOutput.write(try JSONEncoder().encode(result) + Data("\n".utf8))
}
