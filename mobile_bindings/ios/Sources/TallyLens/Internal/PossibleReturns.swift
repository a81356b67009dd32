import CTally

/// Objects that could be the same as one that was counted before, as the core saves them.
struct PossibleReturns {
    /// How many of each class id could be.
    var numbers: [Int64]
    /// Where and when each object that was confirmed in this period was seen last.
    var seen: [tally_seen]
    /// The new objects that could be one that was counted before.
    var returns: [tally_return]
}
