/// The maximum of numbers by name, one set for each `seconds` of time that had any, in a bounded number
/// of bins, whose width doubles when there are too many.
struct TimeBins {
    private(set) var seconds = 1
    private var bins: [Int: [String: Int]] = [:]
    private let maximum: Int

    /// Width of saved bins in seconds by minimum age, as in saved counts of Python.
    private static let widthByAge = [
        (0, 1), (3600, 30), (86_400, 300), (5 * 86_400, 3600), (30 * 86_400, 6 * 3600),
    ]

    init(maximum: Int = 86_400) { self.maximum = maximum }

    /// Add `numbers` at `time` seconds from the start.
    mutating func add(_ time: Double, _ numbers: [String: Int]) {
        merge(Int((time / Double(seconds)).rounded(.down)), numbers)
        while bins.count > maximum { widen() }
    }

    private mutating func merge(_ index: Int, _ numbers: [String: Int]) {
        bins[index, default: [:]].merge(numbers, uniquingKeysWith: max)
    }

    private mutating func widen() {
        seconds *= 2
        let narrow = bins
        bins = [:]
        for (index, numbers) in narrow {
            merge(Int((Double(index) / 2).rounded(.down)), numbers)
        }
    }

    /// Start of each bin in seconds and its numbers, in order of time.
    func entries() -> [(Double, [String: Int])] {
        ordered().map { (Double($0.0) * Double(seconds), $0.1) }
    }

    private func ordered() -> [(Int, [String: Int])] {
        bins.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The bins to save, older ones merged into wider ones.
    mutating func save() -> [(Int, [String: Int])] {
        let narrow = ordered()
        let now = narrow.last?.0 ?? 0
        bins = [:]
        for (index, numbers) in narrow {
            let age = (now - index) * seconds
            let width = max(TimeBins.widthByAge.last { age >= $0.0 }!.1 / seconds, 1)
            merge(index - index % width, numbers)
        }
        return ordered()
    }

    mutating func restore(width: Int, _ saved: [(Int, [String: Int])]) {
        seconds = width
        bins = [:]
        for (index, numbers) in saved { merge(index, numbers) }
    }
}
