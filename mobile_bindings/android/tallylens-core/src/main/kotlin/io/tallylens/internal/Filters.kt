package io.tallylens.internal

import io.tallylens.UsageException
import kotlin.math.min
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** Which detections are neither tracked nor counted, in frames of one size: in ignored zones, too small or too large. */
internal class Filters(counting: Counting, width: Int, height: Int) {
    /** Name and corners in pixels of each ignored zone. */
    val zones: List<Pair<String, List<Point>>> = counting.ignored.mapIndexed { i, zone ->
        val name = zone.name.ifEmpty { "ignored zone ${i + 1}" }
        val points = inPixels(zone.points, width, height)
        checkInFrame(name, points, width, height)
        name to points
    }
    private val minSize = pixels(counting.minSize, min(width, height))
    private val maxSize = pixels(counting.maxSize, min(width, height))

    init {
        if (minSize != null && maxSize != null && minSize > maxSize) {
            throw UsageException(
                "the minimum size, ${formatG(minSize)} pixels, is above the maximum, ${formatG(maxSize)}", "Swap them",
            )
        }
    }

    /** A fraction of the shorter side if at most 1, else pixels. */
    private fun pixels(size: Float?, side: Int): Double? =
        size?.toString()?.toDouble()?.let { if (it <= 1) it * side else it }

    fun applied(options: TrackingOptions): TrackingOptions = options.copy(
        minSize = minSize?.toFloat() ?: options.minSize, maxSize = maxSize?.toFloat() ?: options.maxSize,
    )

    /** The filter's part of the report document, in pixels; empty without a filter. */
    fun asJson(): Map<String, JsonElement> = buildMap {
        if (zones.isNotEmpty()) put("ignore", JsonArray(zones.map(::zone)))
        minSize?.let { put("min_size", JsonPrimitive(rounded(it, 2))) }
        maxSize?.let { put("max_size", JsonPrimitive(rounded(it, 2))) }
    }

    private fun zone(one: Pair<String, List<Point>>) = JsonObject(
        mapOf(
            "name" to JsonPrimitive(one.first),
            "points" to JsonArray(one.second.map { p -> JsonArray(listOf(p.x, p.y).map { JsonPrimitive(rounded(it, 2)) }) }),
        ),
    )
}
