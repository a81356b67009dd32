import CTally
import Foundation

/// A counter as bytes: magic, version, size, checksum, then the compressed values; the same bytes as
/// the counter for Android writes.
///
/// The core's part is checked by the core; the other values are bounded here before they are used.
struct SavedState {
    var width: Int
    var height: Int
    var classNames: [String]
    var frames: Int
    var drops: Drops
    var first: Int64?
    var last: Int64
    var core: [UInt8]
    var binSeconds: Int
    var bins: [TimeBins.Entry]
    var withheld: [tally_withheld]
    var returns: PossibleReturns

    private static let magic: UInt32 = 0x544C_4353  // TLCS
    private static let version: UInt32 = 1
    private static let header = 16
    private static let maxBytes = 16 << 20

    func encoded() -> Data {
        var values = StateWriter()
        write(&values)
        let compressed = deflated(values.bytes)
        var whole = StateWriter()
        whole.put(SavedState.magic)
        whole.put(SavedState.version)
        whole.put(UInt32(values.bytes.count))
        whole.put(checksum(compressed[...]))
        whole.put(raw: compressed)
        return Data(whole.bytes)
    }

    init(decoding data: Data) throws(TallyLensError) {
        let bytes = [UInt8](data)
        do {
            var header = StateReader(bytes)
            guard bytes.count >= SavedState.header,
                try header.number(UInt32.self) == SavedState.magic
            else { throw TallyLensError.state("these bytes are not a saved count") }
            let version = try header.number(UInt32.self)
            guard version == SavedState.version else {
                throw TallyLensError.state(
                    "the saved count is of format version \(version), not \(SavedState.version)")
            }
            let size = Int(try header.number(UInt32.self))
            let compressed = bytes[SavedState.header...]
            guard (1...SavedState.maxBytes).contains(size),
                try header.number(UInt32.self) == checksum(compressed)
            else { throw DamagedState() }
            var reader = StateReader(try inflated(compressed, size))
            self = try SavedState(&reader)
            try reader.checkEnd()
        } catch let error as TallyLensError {
            throw error
        } catch {
            throw .state("the saved count is damaged")
        }
    }

    private func write(_ out: inout StateWriter) {
        out.put(Int32(width))
        out.put(Int32(height))
        out.list(classNames) { $0.put($1) }
        for number in [frames, drops.busy, drops.late, drops.governor, drops.failed] {
            out.put(Int64(number))
        }
        out.put(UInt8(first != nil ? 1 : 0))
        out.put(first ?? 0)
        out.put(last)
        out.put(Int32(core.count))
        out.put(raw: core)
        out.put(Int32(binSeconds))
        let byBin = Dictionary(grouping: bins, by: \.bin)
        out.list(byBin.sorted { $0.key < $1.key }) { out, bin in
            out.put(Int32(clamping: bin.key))
            out.list(bin.value) {
                $0.put(Int16(clamping: $1.classID))
                $0.put(Int32(clamping: $1.number))
            }
        }
        out.list(withheld) { out, one in
            out.put(one.seen_ns)
            SavedState.put(CountEvent(one.event), &out)
        }
        writeReturns(&out)
    }

    private func writeReturns(_ out: inout StateWriter) {
        out.list(returns.numbers.enumerated().filter { $0.element != 0 }) {
            $0.put(Int32($1.offset))
            $0.put($1.element)
        }
        out.list(returns.seen) { out, one in
            out.put(one.track_id)
            out.put(one.timestamp_ns)
            out.put(one.class_id)
            for side in [one.x1, one.y1, one.x2, one.y2] { out.put(side) }
        }
        out.list(returns.returns) { out, one in
            out.put(one.lost_track_id)
            out.put(one.timestamp_ns)
            out.put(one.class_id)
            out.put(one.track_id)
        }
    }

    private static func put(_ event: CountEvent, _ out: inout StateWriter) {
        out.put(UInt8(EventKind.allCases.firstIndex(of: event.kind)!))
        out.put(event.timestamp.nanoseconds)
        out.put(event.trackID)
        for number in [event.classID, event.previousClassID, event.place] { out.put(Int32(number)) }
        let floats = [
            event.x, event.y, event.confidence, event.ageSeconds, event.dwellSeconds,
        ]
        for number in floats { out.put(number) }
    }
}

extension SavedState {
    init(
        width: Int, height: Int, classNames: [String], frames: Int, drops: Drops, totals: Totals
    ) throws(TallyLensError) {
        self.width = width
        self.height = height
        self.classNames = classNames
        self.frames = frames
        self.drops = drops
        first = totals.first
        last = totals.last
        core = try totals.counter.save()
        (binSeconds, bins) = try totals.occupancy.save()
        withheld = try totals.counter.withheld()
        returns = try totals.counter.returns()
    }

    private init(_ input: inout StateReader) throws(DamagedState) {
        width = try input.whole()
        height = try input.whole()
        guard width > 0, height > 0 else { throw DamagedState() }
        let names = try input.list { (input) throws(DamagedState) in try input.text() }
        classNames = names
        frames = Int(try input.long())
        drops = Drops(
            busy: Int(try input.long()), late: Int(try input.long()),
            governor: Int(try input.long()), failed: Int(try input.long()))
        let started = try input.number(UInt8.self) != 0
        let time = try input.long()
        first = started ? time : nil
        last = try input.long()
        let size = try input.whole()
        guard (1...(1 << 20)).contains(size) else { throw DamagedState() }
        core = Array(try input.raw(size))
        binSeconds = try input.whole()
        guard binSeconds > 0 else { throw DamagedState() }
        bins = try input.list { (input) throws(DamagedState) in
            let bin = try input.whole()
            return try SavedState.counts(&input, names.count).map { id, number in
                TimeBins.Entry(bin: bin, classID: id, number: number)
            }
        }.flatMap { $0 }
        withheld = try input.list { (input) throws(DamagedState) in
            let seen = try input.long()
            return tally_withheld(
                seen_ns: seen, event: try SavedState.event(&input, names.count).native)
        }
        let numbers = try input.list { (input) throws(DamagedState) in
            (try SavedState.classID(&input, names.count), try input.long())
        }
        returns = PossibleReturns(
            numbers: [Int64](repeating: 0, count: names.count),
            seen: try input.list { (input) throws(DamagedState) in
                tally_seen(
                    track_id: try input.long(), timestamp_ns: try input.long(),
                    class_id: Int32(try SavedState.classID(&input, names.count)),
                    x1: try input.float(), y1: try input.float(), x2: try input.float(),
                    y2: try input.float())
            },
            returns: try input.list { (input) throws(DamagedState) in
                let (lost, time) = (try input.long(), try input.long())
                let id = Int32(try SavedState.classID(&input, names.count))
                return tally_return(
                    lost_track_id: lost, track_id: try input.long(), timestamp_ns: time,
                    class_id: id)
            })
        for (id, number) in numbers { returns.numbers[id] = number }
    }

    private static func classID(_ input: inout StateReader, _ count: Int) throws(DamagedState) -> Int {
        let id = try input.whole()
        guard (0..<count).contains(id) else { throw DamagedState() }
        return id
    }

    private static func counts(
        _ input: inout StateReader, _ classes: Int
    ) throws(DamagedState) -> [(Int, Int)] {
        try input.list { (input) throws(DamagedState) in
            let id = Int(try input.number(Int16.self))
            guard (0..<classes).contains(id) else { throw DamagedState() }
            return (id, try input.whole())
        }
    }

    private static func event(
        _ input: inout StateReader, _ classes: Int
    ) throws(DamagedState) -> CountEvent {
        let kind = Int(try input.number(UInt8.self))
        guard EventKind.allCases.indices.contains(kind) else { throw DamagedState() }
        let time = try input.long()
        let track = try input.long()
        let id = try classID(&input, classes)
        return CountEvent(
            kind: EventKind.allCases[kind], timestamp: Timestamp(nanoseconds: time), trackID: track,
            classID: id, previousClassID: try input.whole(), place: try input.whole(),
            x: try input.float(), y: try input.float(), confidence: try input.float(),
            ageSeconds: try input.float(), dwellSeconds: try input.float(), className: "", region: "")
    }
}
