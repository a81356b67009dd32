package io.tallylens.jvm

import io.tallylens.CloudException
import io.tallylens.Counter
import io.tallylens.CounterOptions
import io.tallylens.Detection
import io.tallylens.Line
import io.tallylens.cloud.CloudDetector
import io.tallylens.cloud.CloudListener
import io.tallylens.cloud.Codec
import java.io.File
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/**
 * Has a server detect the frames of a frame file, counts here, and prints what happened:
 *
 *     TALLYLENS_API_KEY=... CloudMain FRAMES URL CA http|okhttp
 */
fun main(arguments: Array<String>) {
    val (frames, url, ca, kind) = arguments
    val answers = ConcurrentHashMap<Long, List<Detection>>()
    val repeated = AtomicInteger()
    val missing = ConcurrentHashMap<String, Int>()
    val listener = object : CloudListener {
        override fun onDetections(captureUs: Long, detections: List<Detection>) {
            if (answers.put(captureUs, detections) != null) repeated.incrementAndGet()
        }

        override fun onNoAnswer(captureUs: Long, reason: String) {
            missing.merge(reason, 1, Int::plus)
        }

        override fun onRefused(error: CloudException) {
            missing.merge("refused: ${error.message}", 1, Int::plus)
        }
    }
    val result = FrameFile(File(frames)).use { file ->
        CloudDetector(url, System.getenv("TALLYLENS_API_KEY").orEmpty(), transport(kind, File(ca)), listener).use { cloud ->
            ask(cloud, file, missing)
            println(report(cloud, file, answers, repeated.get(), missing))
        }
    }
    check(result == Unit)
    System.exit(0)
}

private fun ask(cloud: CloudDetector, file: FrameFile, missing: Map<String, Int>) {
    val pixels = ByteArray(3 * file.width * file.height)
    for (index in 0 until file.count) {
        val (timestampNanos, buffer) = file.pixels(index)
        buffer.get(pixels)
        while (!cloud.ask(pixels.copyOf(), file.width, file.height, Codec.RAW, timestampNanos / 1000, 60.0)) {
            if (missing.keys.any { it.startsWith("refused") }) return
            Thread.sleep(2)
        }
    }
    while (cloud.inFlight() > 0) Thread.sleep(5)
}

private fun report(
    cloud: CloudDetector, file: FrameFile, answers: Map<Long, List<Detection>>, repeated: Int, missing: Map<String, Int>,
): JsonObject {
    val options = CounterOptions.Builder().lines(Line(0.5f, 0f, 0.5f, 1f)).build()
    return Counter.fromDetections(cloud.classNames.ifEmpty { listOf("none") }, options).use { counter ->
        for (index in 0 until file.count) {
            val timestampNanos = file.pixels(index).first
            val found = answers[timestampNanos / 1000] ?: continue
            counter.countDetections(found, file.width, file.height, timestampNanos)
        }
        counter.conclude()
        JsonObject(
            mapOf(
                "answered" to JsonPrimitive(answers.size), "repeated" to JsonPrimitive(repeated),
                "missing" to JsonObject(missing.mapValues { JsonPrimitive(it.value) }),
                "report" to Json.parseToJsonElement(counter.currentReport().toJson()),
            ),
        )
    }
}
