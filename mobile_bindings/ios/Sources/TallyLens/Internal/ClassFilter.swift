/// Separates the classes that are counted from the others.
struct ClassFilter {
    /// The model's class names, by id.
    let names: [String]
    /// Ids of the classes that are counted.
    let wanted: Set<Int>

    var takesAll: Bool { wanted.count == names.count }

    /// - Parameter classes: names of the classes to count; nil counts all.
    init(_ names: [String], _ classes: Set<String>?) throws(TallyLensError) {
        self.names = names
        guard let classes else {
            wanted = Set(names.indices)
            return
        }
        for name in classes.sorted() where !names.contains(name) {
            let some = names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", ..." : "")
            throw .usage("unknown class '\(name)'", "The model has \(some)")
        }
        wanted = Set(names.indices.filter { classes.contains(names[$0]) })
    }

    /// Totals by class name: wanted classes above zero.
    func named(_ totals: [Int64]) -> [String: Int] {
        var counts: [String: Int] = [:]
        for (id, total) in totals.enumerated() where total != 0 && wanted.contains(id) {
            counts[names[id], default: 0] += Int(total)
        }
        return counts
    }

    /// Totals by class name of the classes that were not asked for.
    func unwanted(_ totals: [Int64]) -> [String: Int] {
        var counts: [String: Int] = [:]
        for (id, total) in totals.enumerated() where total != 0 && !wanted.contains(id) {
            counts[names[id]] = Int(total)
        }
        return counts
    }
}
