package io.tallylens

import io.tallylens.internal.Point
import io.tallylens.internal.checkCoordinates
import io.tallylens.internal.checkUnits
import io.tallylens.internal.formatG
import io.tallylens.internal.pointOf
import io.tallylens.internal.sidesCross

/**
 * A counting line from (x1, y1) to (x2, y2): pixels or, when all are at most 1, fractions.
 *
 * `in` is the direction from left to right when facing from start to end, y down: a line drawn from
 * left to right counts downward movement as `in`.
 *
 * @property name name in reports; empty for `line 1`, `line 2`, ...
 * @property extend also count crossings beyond the ends.
 * @throws UsageException it cannot be crossed, or its directions have one name.
 */
public data class Line @JvmOverloads constructor(
    val x1: Float,
    val y1: Float,
    val x2: Float,
    val y2: Float,
    val name: String = "",
    val extend: Boolean = false,
    val inName: String = "in",
    val outName: String = "out",
) {
    internal val points: List<Point>
        get() = listOf(pointOf(x1, y1), pointOf(x2, y2))

    init {
        checkCoordinates(points)
        checkUnits(points)
        if (x1 == x2 && y1 == y2) {
            throw UsageException(
                "the line from ${formatG(x1.toDouble())},${formatG(y1.toDouble())} to itself has no length",
                "Use two different ends",
            )
        }
        if (inName.isEmpty() || outName.isEmpty() || inName == outName) {
            throw UsageException(
                "the directions of a line are named '$inName' and '$outName'", "Use two different names",
            )
        }
    }
}

/**
 * A polygon of at least three corners (x, y, x, y, ...): pixels or, when all are at most 1, fractions.
 *
 * @property minDwellSeconds shorter visits are not counted as entered.
 * @throws UsageException nothing could be in it.
 */
public data class Zone @JvmOverloads constructor(
    val corners: List<Float>,
    val name: String = "",
    val minDwellSeconds: Float = 0f,
) {
    internal val points: List<Point>
        get() = corners.chunked(2) { (x, y) -> pointOf(x, y) }

    init {
        if (corners.size % 2 != 0 || corners.size / 2 !in 3..MAX_CORNERS) {
            throw UsageException("a zone has ${corners.size} coordinates", "Use x,y of 3 to $MAX_CORNERS corners")
        }
        if (!(minDwellSeconds >= 0 && minDwellSeconds <= MAX_DWELL_S)) {
            throw UsageException(
                "the minimum dwell time of a zone is ${formatG(minDwellSeconds.toDouble())} s", "Use seconds",
            )
        }
        checkCoordinates(points)
        checkUnits(points)
        if (isCollinear(points)) throw UsageException("the corners of a zone are collinear", "Use corners around an area")
        if (sidesCross(points)) {
            throw UsageException("the sides of a zone cross", "Give its corners in their order around the area")
        }
    }

    private companion object {
        const val MAX_CORNERS = 1000
        const val MAX_DWELL_S = 1e6f

        fun isCollinear(points: List<Point>): Boolean {
            val offsets = points.drop(1).map { Point(it.x - points[0].x, it.y - points[0].y) }
            val reference = offsets.firstOrNull { it.x != 0.0 || it.y != 0.0 } ?: Point(0.0, 0.0)
            return offsets.all { it.x * reference.y == it.y * reference.x }
        }
    }
}
