import CTally

/// Sentences on why totals are zero, or smaller than expected; those of `tallylens count`.
extension Totals {
    func explanations() throws(TallyLensError) -> [String] {
        let facts = try counter.diagnostics()
        if facts.frames == 0 { return ["no frame was read"] }
        return try zeros(facts) + largeDisplacements(facts)
    }

    private func zeros(_ facts: tally_diagnostics) throws(TallyLensError) -> [String] {
        let everything = try counter.unique()
        if everything.allSatisfy({ $0 == 0 }) { return [try whyNothing(facts)] }
        if try unique().isEmpty {
            return ["no object of the chosen classes, but \(most(everything))"]
        }
        var notes: [String] = []
        for region in placed {
            let decisive = try decisive(region)
            if filter.named(decisive).isEmpty {
                notes.append("\(region.name): \(try whyZero(region, most(decisive)))")
            }
        }
        return notes
    }

    private func whyZero(
        _ region: PlacedRegion, _ others: String
    ) throws(TallyLensError) -> String {
        if region.zone != nil {
            return others.isEmpty
                ? "no entries; no object was in it"
                : "no entries by the chosen classes, but by \(others)"
        }
        if !others.isEmpty { return "no crossings by the chosen classes, but by \(others)" }
        let nearest = try counter.regionValue(region, 0)
        if nearest < 0 { return "no crossings; no object was tracked near it" }
        return "no crossings; the closest object came within \(fixed(nearest, 0)) px"
    }

    private func whyNothing(_ facts: tally_diagnostics) throws(TallyLensError) -> String {
        let detected = try counter.detected()
        if detected.allSatisfy({ $0 == 0 }) {
            return "no detections in any frame; is this the right model for the scene?"
        }
        if filter.named(detected).isEmpty {
            return
                "no detections of the chosen classes, but \(most(detected)) (detections, not objects)"
        }
        if facts.ignored != 0 && facts.ignored + facts.below_low_confidence == facts.detections {
            return
                "\(facts.ignored) detections, all in ignored zones or outside the minimum and "
                + "maximum size"
        }
        let tracks = facts.unconfirmed_tracks + facts.live_tracks
        if tracks == 0 {
            return "\(facts.detections) detections, all below the confidence of "
                + "\(formatG(Double(options.newConfidence!))) that starts a track"
        }
        let seconds = fixed(Double(facts.longest_unconfirmed_s), 2)
        return "\(facts.detections) detections, but no confirmed track: the longest of \(tracks) "
            + "tentative \(tracks == 1 ? "track" : "tracks") lasted \(seconds) s, where "
            + "\(formatG(Double(options.confirmS!))) s with a mean confidence of "
            + "\(formatG(Double(options.confirmConfidence!))) are needed"
    }

    private func largeDisplacements(_ facts: tally_diagnostics) -> [String] {
        let fps = seconds != 0 ? Double(facts.frames - 1) / seconds : 0
        // At a rate that is high enough already, the cause is another: a missed detection, a cut.
        if Double(facts.needed_fps) <= fps { return [] }
        let objects = facts.unlinked == 1 ? "1 object" : "\(facts.unlinked) objects"
        let needed = Int(Double(facts.needed_fps).rounded(.up))
        return [
            "\(objects) moved too far between frames to be tracked; about \(needed) fps would be enough"
        ]
    }

    /// The classes with the highest totals: `3 car, 1 truck`; empty if all are zero.
    private func most(_ counts: [Int64]) -> String {
        counts.indices.sorted { (-counts[$0], $0) < (-counts[$1], $1) }.prefix(5)
            .filter { counts[$0] != 0 }.map { "\(counts[$0]) \(classNames[$0])" }
            .joined(separator: ", ")
    }
}
