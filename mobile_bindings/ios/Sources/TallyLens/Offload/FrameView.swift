import CTally

/// Mean gray levels of the parts of a frame, to see whether anything has changed: `tally_offload_view`.
struct FrameView: Sendable {
    private let cells: [UInt8]

    init(_ frame: borrowing Frame) throws(TallyLensError) {
        var image = frame.native
        let count = Int(TALLY_VIEW_ROWS.rawValue) * Int(TALLY_VIEW_COLUMNS.rawValue)
        var cells = [UInt8](repeating: 0, count: count)
        try check(tally_offload_view(&image, &cells), nil)
        self.cells = cells
    }

    /// Row by row.
    var levels: [Int] { cells.map { Int($0) } }

    /// Gray levels by which the most changed cell differs.
    func difference(_ other: FrameView) -> Double {
        Double(zip(cells, other.cells).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) })
    }
}
