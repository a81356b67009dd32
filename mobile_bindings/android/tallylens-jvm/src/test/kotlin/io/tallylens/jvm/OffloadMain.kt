package io.tallylens.jvm

import io.tallylens.Counter
import io.tallylens.CounterOptions
import io.tallylens.Line
import io.tallylens.Model
import io.tallylens.OffloadMode
import io.tallylens.OffloadOptions
import java.io.File

/**
 * Counts a frame file, asking a server as its options say, and prints the report:
 *
 *     TALLYLENS_API_KEY=... OffloadMain FRAMES URL CA MODEL always|auto raw|jpeg
 */
fun main(arguments: Array<String>) {
    val (frames, url, ca, model, mode) = arguments
    val offload = OffloadOptions(
        url, System.getenv("TALLYLENS_API_KEY").orEmpty(), transport("http", File(ca)), OffloadMode.valueOf(mode.uppercase()),
        if (arguments[5] == "jpeg") JpegEncoder(0.9f) else null, deadlineSeconds = 10.0,
    )
    val options = CounterOptions.Builder().lines(Line(0.5f, 0f, 0.5f, 1f)).offload(offload)
        .liteRtLibrary(System.getProperty("tallylens.litert")).build()
    FrameFile(File(frames)).use { file ->
        Counter.create(Model.load(File(model)), options).use { counter ->
            for (index in 0 until file.count) {
                val (timestampNanos, frame) = file[index]
                counter.count(frame, timestampNanos)
            }
            counter.conclude()
            println(counter.currentReport().toJson())
        }
    }
    System.exit(0)
}
