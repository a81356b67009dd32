package io.tallylens

/**
 * An object that was detected in one frame. Coordinates are pixels of the frame after rotation and
 * crop, origin top left, y down.
 *
 * @property confidence 0 to 1.
 */
public data class Detection(
    val x1: Float,
    val y1: Float,
    val x2: Float,
    val y2: Float,
    val confidence: Float,
    val classId: Int,
)

/** A confirmed track in one frame; its class is a vote over the track. */
public data class Track(
    val trackId: Long,
    val x1: Float,
    val y1: Float,
    val x2: Float,
    val y2: Float,
    val confidence: Float,
    val classId: Int,
    val className: String,
)

/** What an event is about. */
public enum class EventKind {
    /** An object was counted as a unique one. */
    CONFIRMED,
    CROSSED_IN,
    CROSSED_OUT,
    ENTERED,
    LEFT,

    /** The vote on an object's class changed: what was counted moved from `previousClassId`. */
    RECLASSIFIED,
    ;

    /** The kind as in event files and the protocol, such as `crossed_in`. */
    public val key: String = name.lowercase()
}

/**
 * Something that happened.
 *
 * @property timestampNanos when it happened, which may be before the frame that reports it.
 * @property previousClassId -1 unless reclassified.
 * @property place index of the line or zone, -1 without one.
 * @property region name of the line or zone, empty without one.
 * @property dwellSeconds of `LEFT`: duration of the visit.
 */
public data class CountEvent(
    val kind: EventKind,
    val timestampNanos: Long,
    val trackId: Long,
    val classId: Int,
    val previousClassId: Int,
    val place: Int,
    val x: Float,
    val y: Float,
    val confidence: Float,
    val ageSeconds: Float,
    val dwellSeconds: Float,
    val className: String = "",
    val region: String = "",
)

/**
 * Frames that were offered and not counted.
 *
 * @property busy replaced by a newer one while an earlier one was processed.
 * @property late not later than the frame before.
 * @property governor left out to keep the rate, the budget or the temperature.
 * @property failed could not be counted; `CountListener.onError` says why.
 */
public data class Drops(val busy: Long = 0, val late: Long = 0, val governor: Long = 0, val failed: Long = 0) {
    /** All of them. */
    val total: Long get() = busy + late + governor + failed

    internal operator fun plus(other: Drops) =
        Drops(busy + other.busy, late + other.late, governor + other.governor, failed + other.failed)

    internal operator fun minus(other: Drops) =
        Drops(busy - other.busy, late - other.late, governor - other.governor, failed - other.failed)
}

/**
 * The governor's level: one frame in `rate` is processed, at input size number `size` (0 the largest).
 *
 * @property paused too hot: no frame is processed.
 * @property reason why it changed last, in words; empty before the first change.
 */
public data class Level(
    val rate: Int = 1,
    val size: Int = 0,
    val paused: Boolean = false,
    val reason: String = "",
)

/**
 * What one frame gave.
 *
 * @property dropped frames that were lost since the update before.
 * @property level by which this frame was processed.
 * @property latencyNanos from the call with the frame to this update.
 */
public data class CountUpdate(
    val timestampNanos: Long,
    val detections: List<Detection>,
    val tracks: List<Track>,
    val events: List<CountEvent>,
    val dropped: Drops,
    val level: Level,
    val latencyNanos: Long,
)

/** Receives updates on the executor that it was added with. */
public fun interface CountListener {
    public fun onUpdate(update: CountUpdate)

    /** A frame could not be counted, or a listener threw; the next frame goes on. */
    public fun onError(error: Exception) {}
}
