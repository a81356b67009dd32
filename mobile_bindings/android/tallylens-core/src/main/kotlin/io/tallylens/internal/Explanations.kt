package io.tallylens.internal

/** Sentences on why totals are zero, or smaller than expected, which the core finds out; those of `tallylens count`. */
internal fun explanations(totals: Totals): List<String> {
    val facts = totals.counter.diagnostics()
    return totals.counter.findings().map { sentence(totals, it, facts) }
}

private fun sentence(totals: Totals, finding: Finding, facts: Diagnostics): String {
    val others = finding.classes.joinToString(", ") { (id, total) -> "$total ${totals.classNames[id]}" }
    return when (finding.cause) {
        Finding.NO_FRAME -> "no frame was read"
        Finding.NO_DETECTION -> "no detections in any frame; is this the right model for the scene?"
        Finding.OTHER_DETECTIONS -> "no detections of the chosen classes, but $others (detections, not objects)"
        Finding.IGNORED -> "${facts.ignored} detections, all in ignored zones or outside the minimum and maximum size"
        Finding.WEAK ->
            "${facts.detections} detections, all below the confidence of ${g(totals.options.newConfidence)} that starts a track"
        Finding.UNCONFIRMED -> unconfirmed(totals, facts)
        Finding.OTHER_OBJECTS -> "no object of the chosen classes, but $others"
        Finding.TOO_FAST -> {
            val objects = if (facts.unlinked == 1L) "1 object" else "${facts.unlinked} objects"
            "$objects moved too far between frames to be tracked; about ${finding.value.toLong()} fps would be enough"
        }
        else -> ofRegion(totals, finding, others)
    }
}

private fun unconfirmed(totals: Totals, facts: Diagnostics): String {
    val tracks = facts.unconfirmedTracks + facts.liveTracks
    return "${facts.detections} detections, but no confirmed track: the longest of $tracks tentative " +
        "${if (tracks == 1L) "track" else "tracks"} lasted ${fixed(facts.longestUnconfirmedS.toDouble(), 2)} s, where " +
        "${g(totals.options.confirmS)} s with a mean confidence of ${g(totals.options.confirmConfidence)} are needed"
}

private fun ofRegion(totals: Totals, finding: Finding, others: String): String {
    val region = totals.placed.first { (it.zone != null) == finding.isZone && it.index == finding.region }
    val none = "${region.name}: no ${if (finding.isZone) "entries" else "crossings"}"
    return when (finding.cause) {
        Finding.OTHERS_COUNTED -> "$none by the chosen classes, but by $others"
        Finding.MISSED -> "$none; the closest object came within ${fixed(finding.value, 0)} px"
        else -> "$none; no object was ${if (finding.isZone) "in it" else "tracked near it"}"
    }
}

private fun g(value: Float?) = formatG(value!!.toDouble())
