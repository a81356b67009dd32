package io.tallylens.internal

import kotlin.math.ceil

private const val MAX_CLASSES = 5

/** Sentences on why totals are zero, or smaller than expected; those of `tallylens count`. */
internal fun explanations(totals: Totals): List<String> {
    val facts = totals.counter.diagnostics()
    if (facts.frames == 0L) return listOf("no frame was read")
    return zeros(totals, facts) + largeDisplacements(totals, facts)
}

private fun zeros(totals: Totals, facts: Diagnostics): List<String> {
    val everything = totals.counter.unique()
    if (everything.all { it == 0L }) return listOf(whyNothing(totals, facts))
    if (totals.unique().isEmpty()) {
        return listOf("no object of the chosen classes, but ${most(totals, everything)}")
    }
    return totals.placed.mapNotNull { region ->
        val decisive = totals.decisive(region)
        if (totals.filter.named(decisive).isNotEmpty()) null else "${region.name}: ${whyZero(totals, region, most(totals, decisive))}"
    }
}

private fun whyZero(totals: Totals, region: PlacedRegion, others: String): String {
    if (region.zone != null) {
        return if (others.isEmpty()) "no entries; no object was in it" else "no entries by the chosen classes, but by $others"
    }
    if (others.isNotEmpty()) return "no crossings by the chosen classes, but by $others"
    val nearest = totals.value(region, 0)
    if (nearest < 0) return "no crossings; no object was tracked near it"
    return "no crossings; the closest object came within ${fixed(nearest, 0)} px"
}

private fun whyNothing(totals: Totals, facts: Diagnostics): String {
    val detected = totals.counter.detected()
    if (detected.all { it == 0L }) return "no detections in any frame; is this the right model for the scene?"
    if (totals.filter.named(detected).isEmpty()) {
        return "no detections of the chosen classes, but ${most(totals, detected)} (detections, not objects)"
    }
    if (facts.ignored != 0L && facts.ignored + facts.belowLowConfidence == facts.detections) {
        return "${facts.ignored} detections, all in ignored zones or outside the minimum and maximum size"
    }
    val tracks = facts.unconfirmedTracks + facts.liveTracks
    val options = totals.options
    if (tracks == 0L) {
        return "${facts.detections} detections, all below the confidence of ${g(options.newConfidence)} that starts a track"
    }
    return "${facts.detections} detections, but no confirmed track: the longest of $tracks tentative " +
        "${if (tracks == 1L) "track" else "tracks"} lasted ${fixed(facts.longestUnconfirmedS.toDouble(), 2)} s, where " +
        "${g(options.confirmS)} s with a mean confidence of ${g(options.confirmConfidence)} are needed"
}

private fun g(value: Float?) = formatG(value!!.toDouble())

private fun largeDisplacements(totals: Totals, facts: Diagnostics): List<String> {
    val fps = if (totals.seconds != 0.0) (facts.frames - 1) / totals.seconds else 0.0
    // At a rate that is high enough already, the cause is another: a missed detection, a cut.
    if (facts.neededFps <= fps) return emptyList()
    val objects = if (facts.unlinked == 1L) "1 object" else "${facts.unlinked} objects"
    val needed = ceil(facts.neededFps.toDouble()).toLong()
    return listOf("$objects moved too far between frames to be tracked; about $needed fps would be enough")
}

/** The classes with the highest totals: `3 car, 1 truck`; empty if all are zero. */
private fun most(totals: Totals, counts: LongArray): String =
    counts.indices.sortedByDescending { counts[it] }.take(MAX_CLASSES).filter { counts[it] != 0L }
        .joinToString(", ") { "${counts[it]} ${totals.classNames[it]}" }
