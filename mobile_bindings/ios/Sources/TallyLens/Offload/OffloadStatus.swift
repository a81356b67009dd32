import CTally

/// What a counter with a server tells from any thread, while a frame may wait for an answer.
struct OffloadStatus: Sendable {
    let mode: OffloadMode
    let log: Guarded<DecisionLog>
    let client: CloudClient
    let late: Guarded<LateDetections>

    /// For reports: why the server is not asked.
    var warnings: [String] {
        let reason = client.state.use { $0.refusals.current }
        if !reason.isEmpty { return ["\(reason). Counted on this device alone since then"] }
        if mode != .never && client.welcome == nil && log.use({ $0.hasFrames }) {
            return ["the cloud cannot be reached; counting on this device alone"]
        }
        if !late.use({ $0.isForeign }) { return [] }
        return [
            "the model of \(client.settings.url) knows none of this model's classes. "
                + "Counted on this device alone"
        ]
    }

    /// Number of decisions by reason, and what went over the link.
    func report() throws(TallyLensError) -> OffloadReport {
        let link = try client.facts().estimate
        let (totals, refusals) = client.state.use { ($0.totals, $0.refusals) }
        var report = log.use { $0.report(mode) }
        report.sentBytes = totals.sentBytes
        report.rejected = totals.rejected
        report.dropped = totals.dropped
        (report.late, report.corrected) = late.use { ($0.answers.noted, $0.answers.corrected) }
        report.connections = totals.connections
        report.refusals = refusals.times.map {
            OffloadReport.Refusal(reason: $0.reason, times: $0.times)
        }
        report.rttMs = rounded(link.rtt.p95 * 1000, 1)
        report.bytesPerSecond = Int(link.bandwidth.mean.rounded())
        return report
    }
}
