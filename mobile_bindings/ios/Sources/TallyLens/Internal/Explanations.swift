import CTally

/// Sentences on why totals are zero, or smaller than expected, which the core finds out; those of
/// `tallylens count`.
extension Totals {
    func explanations() throws(TallyLensError) -> [String] {
        let facts = try counter.diagnostics()
        return try counter.findings().map { sentence($0, facts) }
    }

    private func sentence(_ finding: tally_finding, _ facts: tally_diagnostics) -> String {
        let others = classes(finding)
        switch tally_cause(rawValue: UInt32(finding.cause)) {
        case TALLY_CAUSE_NO_FRAME: return "no frame was read"
        case TALLY_CAUSE_NO_DETECTION:
            return "no detections in any frame; is this the right model for the scene?"
        case TALLY_CAUSE_OTHER_DETECTIONS:
            return "no detections of the chosen classes, but \(others) (detections, not objects)"
        case TALLY_CAUSE_IGNORED:
            return "\(facts.ignored) detections, all in ignored zones or outside the minimum and "
                + "maximum size"
        case TALLY_CAUSE_WEAK:
            return "\(facts.detections) detections, all below the confidence of "
                + "\(formatG(Double(options.newConfidence!))) that starts a track"
        case TALLY_CAUSE_UNCONFIRMED: return unconfirmed(facts)
        case TALLY_CAUSE_OTHER_OBJECTS: return "no object of the chosen classes, but \(others)"
        case TALLY_CAUSE_TOO_FAST:
            let objects = facts.unlinked == 1 ? "1 object" : "\(facts.unlinked) objects"
            return "\(objects) moved too far between frames to be tracked; about "
                + "\(Int(finding.value)) fps would be enough"
        default: return ofRegion(finding, others)
        }
    }

    private func unconfirmed(_ facts: tally_diagnostics) -> String {
        let tracks = facts.unconfirmed_tracks + facts.live_tracks
        let seconds = fixed(Double(facts.longest_unconfirmed_s), 2)
        return "\(facts.detections) detections, but no confirmed track: the longest of \(tracks) "
            + "tentative \(tracks == 1 ? "track" : "tracks") lasted \(seconds) s, where "
            + "\(formatG(Double(options.confirmS!))) s with a mean confidence of "
            + "\(formatG(Double(options.confirmConfidence!))) are needed"
    }

    private func ofRegion(_ finding: tally_finding, _ others: String) -> String {
        let kind = String(cString: tally_region_kind(finding.rule))
        let region = placed.first { $0.kind == kind && $0.index == Int(finding.region) }
        let isZone = kind == "zone"
        let none = "\(region?.name ?? kind): no \(isZone ? "entries" : "crossings")"
        switch tally_cause(rawValue: UInt32(finding.cause)) {
        case TALLY_CAUSE_OTHERS_COUNTED: return "\(none) by the chosen classes, but by \(others)"
        case TALLY_CAUSE_MISSED:
            return "\(none); the closest object came within \(fixed(finding.value, 0)) px"
        default: return "\(none); no object was \(isZone ? "in it" : "tracked near it")"
        }
    }

    /// The classes that a finding names: `3 car, 1 truck`.
    private func classes(_ finding: tally_finding) -> String {
        let ids = withUnsafeBytes(of: finding.class_ids) { Array($0.bindMemory(to: Int32.self)) }
        let totals = withUnsafeBytes(of: finding.totals) { Array($0.bindMemory(to: Int64.self)) }
        return zip(ids, totals).prefix(Int(finding.num_classes))
            .map { "\($1) \(classNames[Int($0)])" }.joined(separator: ", ")
    }
}
