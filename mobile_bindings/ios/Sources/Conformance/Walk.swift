import Foundation
import TallyLens

/// A made scene: each second a walker appears above a line in the middle, and crosses it half a second
/// later, in a lane of his own; he is in view for a second and a half.
enum Walkers {
    static let fps = 20
    static let width = 640
    static let height = 480

    static func time(_ frame: Int) -> Timestamp {
        Timestamp(nanoseconds: Int64(frame) * 1_000_000_000 / Int64(fps))
    }

    /// The walkers in a frame, `age` seconds after each came.
    static func at(seconds: Double) -> [Detection] {
        (0...1).compactMap { back in
            let walker = Int(seconds) - back
            let age = seconds - Double(walker)
            guard walker >= 0, age < 1.5 else { return nil }
            let x = Float(60 + walker % 5 * 120)
            let y = Float(120 + 240 * age)
            return Detection(x1: x, y1: y, x2: x + 40, y2: y + 60, confidence: 0.9, classID: 0)
        }
    }

    static func counter() throws -> Counter {
        var options = CounterOptions()
        options.lines = [Line(0, 0.5, 1, 0.5)]
        return try Counter(classNames: ["person"], options: options)
    }
}

/// Counts walkers, and saves every five seconds of capture time; made to be killed:
///
///     walk STATE FIRST_FRAME LAST_FRAME
///
/// Prints whether it resumed, the number of each frame that was counted, and in the end the walkers that
/// crossed.
func walk(_ words: [String]) throws {
    guard words.count == 3, let first = Int(words[1]), let last = Int(words[2]), first <= last else {
        throw UsageError(description: "walk needs STATE FIRST_FRAME LAST_FRAME")
    }
    let state = StateFile(URL(fileURLWithPath: words[0]))
    let counter = try Walkers.counter()
    say("restored \(try state.restore(counter))")
    for frame in first...last {
        _ = try counter.count(
            Walkers.at(seconds: Double(frame) / Double(Walkers.fps)), width: Walkers.width,
            height: Walkers.height, at: Walkers.time(frame))
        if frame % (5 * Walkers.fps) == 0 { try state.save(counter) }
        say("\(frame)")
        usleep(1000)
    }
    say("crossed \(counter.report.lines[0].crossedIn["person"] ?? 0)")
}

/// Writes a line at once: what was said before a kill was done before it.
private func say(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }
