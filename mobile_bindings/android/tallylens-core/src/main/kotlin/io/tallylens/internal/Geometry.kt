package io.tallylens.internal

import io.tallylens.Line
import io.tallylens.UsageException
import io.tallylens.Zone
import kotlin.math.abs
import kotlin.math.sign

private const val MAX_COORDINATE = 1e6

/** A point in pixels or in fractions of the frame. */
internal data class Point(val x: Double, val y: Double)

/** The point as its numbers are written: 0.6f is 0.6, as it is in Python, not 0.60000002. */
internal fun pointOf(x: Float, y: Float) = Point(x.toString().toDouble(), y.toString().toDouble())

/** Throw UsageException for a coordinate that no frame has. */
internal fun checkCoordinates(points: List<Point>) {
    for (value in points.flatMap { listOf(it.x, it.y) }) {
        if (!(abs(value) <= MAX_COORDINATE)) {
            throw UsageException(
                "invalid coordinate ${formatG(value)}", "Use fractions from 0 to 1, or pixels of the frame",
            )
        }
    }
}

/** Throw UsageException for points that mix fractions of the frame with pixels. */
internal fun checkUnits(points: List<Point>) {
    val pixels = points.flatMap { listOf(it.x, it.y) }.firstOrNull { it > 1 } ?: return
    val fraction = points.flatMap { listOf(it.x, it.y) }.firstOrNull { it > 0 && it < 1 }
        // From 0 to 1 is the whole frame as fractions, and one pixel otherwise.
        ?: listOf(points.map { it.x }, points.map { it.y })
            .lastOrNull { along -> along.toSet().size > 1 && along.all { it in 0.0..1.0 } }?.maxOrNull()
        ?: return
    throw UsageException(
        "the coordinates ${formatG(fraction)} and ${formatG(pixels)} mix fractions with pixels",
        "Use fractions from 0 to 1 for all points of a region, or pixels for all",
    )
}

/** Whether two sides of a polygon cross; sides that only touch do not. */
internal fun sidesCross(corners: List<Point>): Boolean {
    val sides = corners.indices.map { corners[it] to corners[(it + 1) % corners.size] }
    return sides.indices.any { i ->
        val (a, b) = sides[i]
        (i + 1 until sides.size).any { j ->
            val (c, d) = sides[j]
            sideOf(a, b, c) * sideOf(a, b, d) < 0 && sideOf(c, d, a) * sideOf(c, d, b) < 0
        }
    }
}

private fun sideOf(start: Point, end: Point, point: Point): Double =
    sign((end.x - start.x) * (point.y - start.y) - (end.y - start.y) * (point.x - start.x))

/**
 * A region in frames of one size.
 *
 * @property index its number among those of its kind, as events and the core know it.
 * @property name the user's, or `line 1`, `zone 2`, ...
 */
internal class PlacedRegion(
    val kind: String, val index: Int, val name: String, val points: List<Point>, val line: Line?, val zone: Zone?,
)

/** The regions in frames of `width` x `height`, lines first. */
internal fun placeRegions(lines: List<Line>, zones: List<Zone>, width: Int, height: Int): List<PlacedRegion> =
    lines.mapIndexed { i, line ->
        val name = line.name.ifEmpty { "line ${i + 1}" }
        val points = inPixels(line.points, width, height)
        // A line that is extended may be crossed far from its ends.
        if (!line.extend) checkInFrame(name, points, width, height)
        PlacedRegion("line", i, name, points, line, null)
    } + zones.mapIndexed { i, zone ->
        val name = zone.name.ifEmpty { "zone ${i + 1}" }
        val points = inPixels(zone.points, width, height)
        checkInFrame(name, points, width, height)
        PlacedRegion("zone", i, name, points, null, zone)
    }

internal fun inPixels(points: List<Point>, width: Int, height: Int): List<Point> =
    if (points.any { it.x > 1 || it.y > 1 }) points else points.map { Point(it.x * width, it.y * height) }

internal fun checkInFrame(name: String, points: List<Point>, width: Int, height: Int) {
    for ((values, size) in listOf(points.map { it.x } to width, points.map { it.y } to height)) {
        if (values.all { it < 0 } || values.all { it > size }) {
            throw UsageException(
                "$name is outside the frame, which has ${width}x$height pixels",
                "Use x,y from the upper left corner: fractions from 0 to 1, or pixels",
            )
        }
    }
}
