package io.tallylens.jvm

import io.tallylens.Counter
import io.tallylens.Model
import io.tallylens.RunningMode
import java.io.File
import java.io.PrintStream
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicLong
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * Offers the frames of a frame file at their own pace, as a camera does, and prints what became of them:
 *
 *     LiveMain FRAMES MODEL [options of CountMain]
 */
public fun main(arguments: Array<String>) {
    val given = MainArguments(arguments)
    val options = given.options.runningMode(RunningMode.LIVE_STREAM).build()
    val told = AtomicLong()
    val resident = ArrayList<JsonPrimitive>()
    FrameFile(given.frames).use { frames ->
        Counter.create(Model.load(given.model), options).use { counter ->
            counter.addListener(Executor(Runnable::run)) { update -> told.addAndGet(1 + update.dropped.total) }
            val started = System.nanoTime()
            val first = frames.pixels(0).first
            for (index in 0 until frames.count) {
                val (timestampNanos, frame) = frames[index]
                sleepNanos(started + timestampNanos - first - System.nanoTime())
                counter.countAsync(frame, timestampNanos)
                if (index % FRAMES_PER_SAMPLE == 0) resident += JsonPrimitive(residentBytes())
            }
            counter.close()
            val report = counter.report.value
            val document = buildJsonObject {
                put("offered", frames.count)
                put("counted", report.frames)
                put("dropped", report.dropped)
                put("skipped", report.skipped)
                put("told", told.get())
                put("resident_bytes", JsonArray(resident))
                put("report", Json.parseToJsonElement(report.toJson()))
            }
            PrintStream(System.out, true, "UTF-8").println(document)
        }
    }
}

private const val FRAMES_PER_SAMPLE = 30

private fun sleepNanos(nanos: Long) {
    if (nanos > 0) Thread.sleep(nanos / 1_000_000, (nanos % 1_000_000).toInt())
}

/** Resident memory of this process without the pages of files, such as the frames, in bytes. */
private fun residentBytes(): Long {
    val anonymous = File("/proc/self/status").readLines().first { it.startsWith("RssAnon:") }
    return anonymous.filter(Char::isDigit).toLong() * 1024
}
