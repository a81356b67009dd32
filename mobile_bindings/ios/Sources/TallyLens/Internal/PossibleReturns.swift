import CTally
import Foundation

/// Counts the objects that could be the same as one that was counted before in this period.
///
/// An object that leaves the frame, or is lost for too long, gets a new number when it returns. A new
/// object could be the same if one of its class and a similar size was last seen near there at most
/// `remember` earlier. Each lost object returns at most once.
struct PossibleReturns {
    /// Where and when an object that was confirmed in this period was seen last.
    struct Seen {
        var track: Int64
        var time: Int64
        var classID: Int
        var box: (Float, Float, Float, Float)
    }

    /// A new object that could be one that was counted before.
    struct Return {
        var timestamp: Int64
        var classID: Int
        var trackID: Int64
    }

    /// How many objects of each class id could be.
    private(set) var numbers: [Int: Int] = [:]
    /// By the track of the object before.
    private(set) var returns: [Int64: Return] = [:]
    private let remember: Int64
    private var rows: [Seen] = []
    private var rowOf: [Int64: Int] = [:]
    private var free: [Int] = []
    private static let nobody: Int64 = -1
    private static let maxDistance: Float = 1.5  // in sizes of the larger box
    private static let maxRatio: Float = 1.5  // of the sizes
    private static let firstCapacity = 256

    init(rememberSeconds: Double) {
        remember = Int64((rememberSeconds * 1e9).rounded(.toNearestOrEven))
    }

    /// Note a frame: its confirmed tracks and its events, both of all classes.
    mutating func note(
        _ time: Int64, _ tracks: UnsafeBufferPointer<tally_track>, _ events: [CountEvent]
    ) {
        var starts: [Int64: Int64] = [:]
        for event in events {
            if event.kind == .confirmed {
                let age = Int64((Double(event.ageSeconds) * 1e9).rounded(.toNearestOrEven))
                starts[event.trackID] = event.timestamp.nanoseconds - age
            } else if event.kind == .reclassified {
                reclassify(event)
            }
        }
        if !starts.isEmpty || !returns.isEmpty { startAndResume(time, tracks, starts) }
        for track in tracks {
            guard let row = rowOf[track.track_id] else { continue }
            rows[row].time = time
            rows[row].classID = Int(track.class_id)
            rows[row].box = track.box
        }
    }

    private mutating func startAndResume(
        _ time: Int64, _ tracks: UnsafeBufferPointer<tally_track>, _ starts: [Int64: Int64]
    ) {
        for track in tracks {
            if let start = starts[track.track_id] {
                appear(track, start)
            } else {
                // It was lost and has been found again: the other object is another.
                guard let wrong = returns.removeValue(forKey: track.track_id) else { continue }
                numbers[wrong.classID, default: 0] -= 1
            }
            addRow(track.track_id, time)
        }
    }

    private mutating func appear(_ track: tally_track, _ start: Int64) {
        var best = -1
        var least = Float.infinity
        for (i, row) in rows.enumerated() {
            let age = start - row.time
            if row.track == PossibleReturns.nobody || age <= 0 || age > remember
                || row.classID != Int(track.class_id)
            {
                continue
            }
            let apart = distance(row.box, track.box)
            if best < 0 || apart < least {
                best = i
                least = apart
            }
        }
        if best < 0 || least > PossibleReturns.maxDistance { return }
        let classID = Int(track.class_id)
        returns[remove(best)] = Return(
            timestamp: start, classID: classID, trackID: track.track_id)
        numbers[classID, default: 0] += 1
    }

    private mutating func addRow(_ track: Int64, _ time: Int64) {
        if free.isEmpty { forget(time) }
        let row = free.removeLast()
        rowOf[track] = row
        rows[row].track = track
        rows[row].time = time
    }

    private mutating func remove(_ row: Int) -> Int64 {
        let track = rows[row].track
        rows[row].track = PossibleReturns.nobody
        rowOf[track] = nil
        free.append(row)
        return track
    }

    /// Drop what is too old, and double the rows if few are free then.
    private mutating func forget(_ time: Int64) {
        let since = time - remember
        returns = returns.filter { $0.value.timestamp >= since }
        for i in rows.indices where rows[i].track != PossibleReturns.nobody && rows[i].time < since {
            _ = remove(i)
        }
        let size = rows.count
        if free.count > size / 2 { return }
        let nobody = Seen(track: PossibleReturns.nobody, time: 0, classID: 0, box: (0, 0, 0, 0))
        rows += Array(repeating: nobody, count: max(size, PossibleReturns.firstCapacity))
        free += size..<rows.count
    }

    private mutating func reclassify(_ event: CountEvent) {
        for (lost, one) in returns where one.trackID == event.trackID {
            returns[lost]!.classID = event.classID
            numbers[one.classID, default: 0] -= 1
            numbers[event.classID, default: 0] += 1
        }
    }

    /// A period has ended, and no object is counted again.
    mutating func clear() { restore([:], [], [:]) }

    var seen: [Seen] { rows.filter { $0.track != PossibleReturns.nobody } }

    mutating func restore(_ numbers: [Int: Int], _ seen: [Seen], _ returns: [Int64: Return]) {
        self.numbers = numbers
        self.returns = returns
        rows = seen
        free = []
        rowOf = [:]
        for (i, one) in seen.enumerated() { rowOf[one.track] = i }
    }

    /// Distance of the centers in sizes of the larger box; infinite for boxes of other sizes.
    private func distance(
        _ a: (Float, Float, Float, Float), _ b: (Float, Float, Float, Float)
    ) -> Float {
        let (sizeA, sizeB) = (size(a), size(b))
        let larger = max(sizeA, sizeB)
        if larger > PossibleReturns.maxRatio * min(sizeA, sizeB) { return .infinity }
        let x = (a.0 + a.2 - b.0 - b.2) / 2
        let y = (a.1 + a.3 - b.1 - b.3) / 2
        return Float(hypot(Double(x), Double(y))) / larger
    }

    private func size(_ box: (Float, Float, Float, Float)) -> Float {
        (max(box.2 - box.0, 1e-3) * max(box.3 - box.1, 1e-3)).squareRoot()
    }
}

extension tally_track {
    var box: (Float, Float, Float, Float) { (x1, y1, x2, y2) }
}
