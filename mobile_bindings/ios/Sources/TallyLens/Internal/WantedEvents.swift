import CTally

/// Passes the events of objects while their class is wanted, and withholds the others.
///
/// When an object becomes one of a wanted class, its totals move there with everything that it did in
/// this period. Its withheld events then follow under the new class, before `reclassified`, so that the
/// events that were passed always add up to the totals.
struct WantedEvents {
    private struct Withheld {
        var seen: Int64
        var events: [CountEvent] = []
    }

    private let wanted: Set<Int>
    private let forget: Int64
    private var withheld: [Int64: Withheld] = [:]
    private var limit = WantedEvents.firstLimit
    private static let firstLimit = 1024

    init(_ wanted: Set<Int>, forgetSeconds: Double) {
        self.wanted = wanted
        forget = Int64((forgetSeconds * 1e9).rounded(.toNearestOrEven))
    }

    /// The events that concern the totals of wanted classes.
    mutating func choose(_ events: [CountEvent]) -> [CountEvent] {
        var chosen: [CountEvent] = []
        for event in events { choose(event, &chosen) }
        return chosen
    }

    private mutating func choose(_ event: CountEvent, _ chosen: inout [CountEvent]) {
        let now = wanted.contains(event.classID)
        if event.kind == .reclassified {
            if !now {
                if wanted.contains(event.previousClassID) { chosen.append(event) }
                return
            }
            for var before in withheld.removeValue(forKey: event.trackID)?.events ?? [] {
                before.classID = event.classID
                chosen.append(before)
            }
            chosen.append(event)
        } else if now {
            chosen.append(event)
        } else {
            withheld[event.trackID, default: Withheld(seen: event.timestamp.nanoseconds)].events
                .append(event)
        }
    }

    /// Note which objects are in the frame, and forget those that cannot return.
    mutating func note(_ tracks: UnsafeBufferPointer<tally_track>, _ time: Int64) {
        if withheld.isEmpty { return }
        for track in tracks { withheld[track.track_id]?.seen = time }
        if withheld.count <= limit { return }
        withheld = withheld.filter { time - $0.value.seen <= forget }
        limit = max(WantedEvents.firstLimit, 2 * withheld.count)
    }

    mutating func clear() { withheld.removeAll() }

    /// The withheld events, each with the time when its object was last seen.
    func save() -> [(Int64, CountEvent)] {
        withheld.sorted { $0.key < $1.key }.flatMap { one in
            one.value.events.map { (one.value.seen, $0) }
        }
    }

    mutating func restore(_ saved: [(Int64, CountEvent)]) {
        clear()
        for (seen, event) in saved {
            withheld[event.trackID, default: Withheld(seen: seen)].seen = seen
            withheld[event.trackID]!.events.append(event)
        }
    }
}
