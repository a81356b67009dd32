import CTally

/// How many objects of each class are in view at once, over time: `tally_bins`. Not thread-safe.
final class TimeBins {
    /// One number of one bin, as saved counts have it.
    struct Entry {
        /// Number of the bin, in bins from the start.
        var bin: Int
        var classID: Int
        var number: Int
    }

    private let handle: OpaquePointer

    init() throws(TallyLensError) {
        var options = tally_bins_options()
        options.struct_size = UInt32(MemoryLayout<tally_bins_options>.size)
        try check(tally_bins_defaults(&options), nil)
        var made: OpaquePointer?
        try create { text, capacity in tally_bins_create(&options, &made, text, capacity) }
        handle = made!
    }

    deinit { tally_bins_destroy(handle) }

    private func done(_ status: tally_status) throws(TallyLensError) {
        if status != TALLY_OK { throw failure(status, tally_bins_error(handle)) }
    }

    /// Add the classes of the objects in view at `time` seconds from the start.
    func add(_ time: Double, _ classes: [Int32]) throws(TallyLensError) {
        try done(tally_bins_add(handle, time, classes, Int32(classes.count)))
    }

    private func numbers() throws(TallyLensError) -> (Int, [tally_bin]) {
        var seconds: Int64 = 0
        let all = try every(tally_bin(), { (status) throws(TallyLensError) in try self.done(status) }) {
            tally_bins_numbers(handle, $0, $1, $2, &seconds)
        }
        return (Int(seconds), all)
    }

    /// Start of each bin in seconds and its numbers by class id, in order of time.
    func entries() throws(TallyLensError) -> [(Double, [(Int, Int)])] {
        var bins: [(Double, [(Int, Int)])] = []
        for one in try numbers().1 {
            let start = Double(one.start_s)
            if bins.last?.0 != start { bins.append((start, [])) }
            bins[bins.count - 1].1.append((Int(one.key), Int(one.number)))
        }
        return bins
    }

    /// Width of a bin in seconds, and the numbers, those of old bins in wider ones.
    func save() throws(TallyLensError) -> (Int, [Entry]) {
        try done(tally_bins_compact(handle))
        let (seconds, all) = try numbers()
        return (
            seconds,
            all.map {
                Entry(
                    bin: Int($0.start_s) / seconds, classID: Int($0.key), number: Int($0.number))
            }
        )
    }

    func restore(width: Int, _ saved: [Entry]) throws(TallyLensError) {
        let numbers = saved.map {
            tally_bin(
                start_s: Int64($0.bin) * Int64(width), number: Int64($0.number),
                key: Int32(clamping: $0.classID), reserved: 0)
        }
        try done(tally_bins_restore(handle, Int64(width), numbers, Int32(numbers.count)))
    }
}

/// What `read` writes into an array, which is made larger if it is too small.
func every<Item>(
    _ empty: Item, _ check: (tally_status) throws(TallyLensError) -> Void,
    _ read: (UnsafeMutablePointer<Item>, Int32, UnsafeMutablePointer<Int32>) -> tally_status
) throws(TallyLensError) -> [Item] {
    var items = [Item](repeating: empty, count: 256)
    while true {
        var count: Int32 = 0
        let status = items.withUnsafeMutableBufferPointer {
            read($0.baseAddress!, Int32($0.count), &count)
        }
        if status != TALLY_BUFFER_TOO_SMALL {
            try check(status)
            return Array(items[..<Int(count)])
        }
        items = [Item](repeating: empty, count: Int(count))
    }
}
