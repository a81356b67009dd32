package io.tallylens.jvm

import io.tallylens.Counter
import io.tallylens.CountEvent
import io.tallylens.Detection
import io.tallylens.Model
import java.io.File
import java.io.PrintStream
import kotlin.system.exitProcess
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * Counts a frame file and prints the report as `tallylens count --json` does:
 *
 *     CountMain FRAMES MODEL [--line x1,y1,x2,y2]... [--zone x,y,...]... [--classes a,b] [--any-class]
 *               [--litert LIBRARY] [--trace FILE]
 *
 * `--trace` writes the detections (as float bits) and events of each frame as JSON lines, and the time of each
 * frame in nanoseconds, and what of it was not inference.
 */
public fun main(arguments: Array<String>) {
    val output = PrintStream(System.out, true, "UTF-8")
    try {
        output.println(count(arguments))
    } catch (error: RuntimeException) {
        System.err.println(error.message)
        exitProcess(2)
    }
}

private fun count(arguments: Array<String>): String {
    val given = MainArguments(arguments)
    val trace = given.others["--trace"]?.let { PrintStream(File(it), "UTF-8") }
    var inferenceMs = 0.0
    return FrameFile(given.frames).use { frames ->
        Counter.create(Model.load(given.model), given.options.build()).use { counter ->
            for (index in 0 until frames.count) {
                val (timestampNanos, frame) = frames[index]
                val started = System.nanoTime()
                val update = counter.count(frame, timestampNanos)
                val nanos = System.nanoTime() - started
                if (trace != null) {
                    val inferred = counter.currentReport().speed.inferenceMs * (index + 1)
                    val host = nanos - ((inferred - inferenceMs) * 1e6).toLong()
                    inferenceMs = inferred
                    trace.println(traced(timestampNanos, nanos, host, update.detections, update.events))
                }
            }
            val last = counter.conclude()
            if (last.isNotEmpty()) trace?.println(traced(-1, 0, 0, emptyList(), last))
            trace?.close()
            counter.currentReport().toJson()
        }
    }
}

private fun traced(
    timestampNanos: Long, nanos: Long, hostNanos: Long, detections: List<Detection>, events: List<CountEvent>,
) = buildJsonObject {
    put("timestamp_ns", timestampNanos)
    put("nanos", nanos)
    put("host_nanos", hostNanos)
    put("detections", JsonArray(detections.map(::bits)))
    put("events", JsonArray(events.map(::fields)))
}.toString()

private fun bits(one: Detection) = JsonArray(
    listOf(one.x1, one.y1, one.x2, one.y2, one.confidence).map { JsonPrimitive(it.toRawBits()) } +
        JsonPrimitive(one.classId),
)

private fun fields(one: CountEvent) = JsonArray(
    listOf(
        JsonPrimitive(one.kind.key), JsonPrimitive(one.timestampNanos), JsonPrimitive(one.trackId),
        JsonPrimitive(one.classId), JsonPrimitive(one.previousClassId), JsonPrimitive(one.place),
    ) + listOf(one.x, one.y, one.confidence, one.ageSeconds, one.dwellSeconds).map { JsonPrimitive(it.toRawBits()) } +
        listOf(JsonPrimitive(one.className), JsonPrimitive(one.region)),
)
