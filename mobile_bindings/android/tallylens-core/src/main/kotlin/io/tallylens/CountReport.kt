package io.tallylens

import io.tallylens.internal.rounded
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonArray
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** Crossings of one line by class name. */
public data class LineCounts(
    val name: String,
    val crossedIn: Map<String, Long>,
    val crossedOut: Map<String, Long>,
    val inName: String = "in",
    val outName: String = "out",
)

/** Objects in one zone by class name, and their dwell times in seconds. */
public data class ZoneCounts(
    val name: String,
    val now: Map<String, Long>,
    val entered: Map<String, Long>,
    val left: Map<String, Long>,
    val meanDwellSeconds: Double,
    val maxDwellSeconds: Double,
)

/** Detections and tracks that were never counted. */
public data class Uncounted(
    val weakDetections: Long = 0,
    val shortTracks: Long = 0,
    val longestShortTrackSeconds: Double = 0.0,
    val otherClasses: Map<String, Long> = emptyMap(),
    val ignoredDetections: Long = 0,
)

/** Throughput: frames per second, and milliseconds per frame. */
public data class Speed(val fps: Double = 0.0, val inferenceMs: Double = 0.0, val hostMs: Double = 0.0)

/** Objects in view in one second: their maximum of each class at once. */
public data class Occupancy(val seconds: Double, val counts: Map<String, Long>)

/**
 * The totals so far; its [toJson] has the keys of `tallylens count --json`.
 *
 * @property seconds capture time from the first frame to the last.
 * @property unique different objects by class.
 * @property uniqueRange minimum and maximum of [unique], of the classes where objects that appeared could be
 *   those that were lost nearby shortly before.
 * @property warnings notes for the user, such as why a total is zero.
 * @property dropped live frames that arrived while an earlier one was processed, or late.
 * @property skipped frames that rate control left out.
 */
public data class CountReport(
    val source: String,
    val model: String,
    val engine: String,
    val frames: Long,
    val seconds: Double,
    val unique: Map<String, Long>,
    val lines: List<LineCounts>,
    val zones: List<ZoneCounts>,
    val occupancy: List<Occupancy>,
    val warnings: List<String>,
    val speed: Speed,
    val interrupted: Boolean = false,
    val started: String? = null,
    val dropped: Long = 0,
    val skipped: Long = 0,
    val uncounted: Uncounted = Uncounted(),
    val uniqueRange: Map<String, LongRange> = emptyMap(),
    val offload: OffloadReport? = null,
    internal val filters: Map<String, JsonElement> = emptyMap(),
) {
    /** The document that `tallylens count --json` prints. */
    public fun toJson(): String = document().toString()

    internal fun document(): JsonObject = buildJsonObject {
        put("source", source)
        put("model", model)
        put("engine", engine)
        put("frames", frames)
        put("seconds", rounded(seconds))
        put("unique", counts(unique))
        putJsonArray("lines") { lines.forEach { add(line(it)) } }
        putJsonArray("zones") { zones.forEach { add(zone(it)) } }
        putJsonArray("occupancy") {
            for (one in occupancy) {
                addJsonArray {
                    add(one.seconds)
                    add(counts(one.counts))
                }
            }
        }
        putJsonArray("warnings") { warnings.forEach { add(it) } }
        putJsonObject("speed") {
            put("fps", rounded(speed.fps))
            put("inference_ms", rounded(speed.inferenceMs))
            put("host_ms", rounded(speed.hostMs))
        }
        put("interrupted", interrupted)
        put("started", started?.let(::JsonPrimitive) ?: JsonNull)
        put("dropped", dropped)
        put("skipped", skipped)
        putJsonObject("uncounted") {
            put("weak_detections", uncounted.weakDetections)
            put("short_tracks", uncounted.shortTracks)
            put("longest_short_track_s", rounded(uncounted.longestShortTrackSeconds))
            put("other_classes", counts(uncounted.otherClasses))
            if (filters.isNotEmpty()) put("ignored_detections", uncounted.ignoredDetections)
        }
        putJsonArray("periods") {}
        if (filters.isNotEmpty()) put("filters", JsonObject(filters))
        if (uniqueRange.isNotEmpty()) putJsonObject("unique_range") { putRanges() }
        offload?.let { putJsonObject("offload") { putOffload(it) } }
    }

    private fun JsonObjectBuilder.putOffload(one: OffloadReport) {
        put("mode", one.mode)
        put("frames", counts(one.frames))
        putJsonArray("decisions") {
            for (decision in one.decisions) {
                addJsonObject {
                    put("action", decision.action)
                    put("reason", decision.reason)
                    put("frames", decision.frames)
                }
            }
        }
        put("deadline_ms", one.deadlineMs)
        put("missed_deadlines", one.missedDeadlines)
        put("longest_frame_ms", rounded(one.longestFrameMs))
        put("sent_bytes", one.sentBytes)
        put("late", one.late)
        put("corrected", one.corrected)
        put("connections", one.connections)
        put("rtt_ms", rounded(one.rttMs))
        put("bytes_per_second", one.bytesPerSecond)
    }

    private fun JsonObjectBuilder.putRanges() {
        for ((name, range) in uniqueRange) {
            putJsonArray(name) {
                add(range.first)
                add(range.last)
            }
        }
    }

    private fun line(one: LineCounts): JsonElement = buildJsonObject {
        put("name", one.name)
        put("in", counts(one.crossedIn))
        put("out", counts(one.crossedOut))
        putJsonObject("directions") {
            put("in", one.inName)
            put("out", one.outName)
        }
    }

    private fun zone(one: ZoneCounts): JsonElement = buildJsonObject {
        put("name", one.name)
        put("now", counts(one.now))
        put("entered", counts(one.entered))
        putJsonObject("dwell_s") {
            put("mean", rounded(one.meanDwellSeconds))
            put("max", rounded(one.maxDwellSeconds))
        }
    }

    private fun counts(numbers: Map<String, Long>): JsonObject =
        JsonObject(numbers.mapValues { JsonPrimitive(it.value) })
}
