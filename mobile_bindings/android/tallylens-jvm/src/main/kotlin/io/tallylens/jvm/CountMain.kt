package io.tallylens.jvm

import io.tallylens.Counter
import io.tallylens.CounterOptions
import io.tallylens.CountEvent
import io.tallylens.Detection
import io.tallylens.Line
import io.tallylens.Model
import io.tallylens.Zone
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
 * frame in nanoseconds.
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
    val options = CounterOptions.Builder().source(arguments[0])
    var trace: PrintStream? = null
    var i = 2
    while (i < arguments.size) {
        val name = arguments[i++]
        if (name == "--any-class") {
            options.anyClass()
            continue
        }
        val value = arguments[i++]
        when (name) {
            "--line" -> options.lines(line(numbers(value)))
            "--zone" -> options.zones(Zone(numbers(value)))
            "--classes" -> options.classes(*value.split(",").toTypedArray())
            "--litert" -> options.liteRtLibrary(value)
            "--trace" -> trace = PrintStream(File(value), "UTF-8")
            else -> throw IllegalArgumentException("unknown option $name")
        }
    }
    val model = Model.load(File(arguments[1]))
    return FrameFile(File(arguments[0])).use { frames ->
        Counter.create(model, options.build()).use { counter ->
            for (index in 0 until frames.count) {
                val (timestampNanos, frame) = frames[index]
                val started = System.nanoTime()
                val update = counter.count(frame, timestampNanos)
                val nanos = System.nanoTime() - started
                trace?.println(traced(timestampNanos, nanos, update.detections, update.events))
            }
            val last = counter.conclude()
            if (last.isNotEmpty()) trace?.println(traced(-1, 0, emptyList(), last))
            trace?.close()
            counter.currentReport().toJson()
        }
    }
}

private fun numbers(text: String): List<Float> = text.split(",").map { it.trim().toFloat() }

private fun line(ends: List<Float>) = Line(ends[0], ends[1], ends[2], ends[3])

private fun traced(timestampNanos: Long, nanos: Long, detections: List<Detection>, events: List<CountEvent>) =
    buildJsonObject {
        put("timestamp_ns", timestampNanos)
        put("nanos", nanos)
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
