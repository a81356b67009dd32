package io.tallylens.jvm

import io.tallylens.Counter
import io.tallylens.CounterOptions
import io.tallylens.Detection
import io.tallylens.Line
import io.tallylens.StateFile
import java.io.File

/**
 * Counts a walker per second of capture time, who crosses the line half way through the second, and saves every five
 * seconds of capture time; made to be killed:
 *
 *     KillMain STATE FIRST_FRAME LAST_FRAME
 *
 * Prints the number of each frame that was counted, and in the end the walkers that crossed.
 */
fun main(arguments: Array<String>) {
    val state = StateFile(File(arguments[0]))
    val options = CounterOptions.Builder().lines(Line(0f, 0.5f, 1f, 0.5f)).build()
    val counter = Counter.fromDetections(listOf("person"), options)
    println("restored ${state.restore(counter)}")
    for (frame in arguments[1].toInt()..arguments[2].toInt()) {
        counter.countDetections(walkers(frame), 640, 480, frame * FRAME_NANOS)
        if (frame % (5 * FPS) == 0) state.save(counter)
        println(frame)
        Thread.sleep(1)
    }
    println("crossed ${counter.currentReport().lines[0].crossedIn["person"] ?: 0}")
}

private const val FPS = 20
private const val FRAME_NANOS = 1_000_000_000L / FPS

/** Each walker is in view for a second and a half, from above the line to below it, in a lane of his own. */
private fun walkers(frame: Int): List<Detection> = (0..1).mapNotNull { back ->
    val walker = frame / FPS - back
    val age = frame - walker * FPS
    if (walker < 0 || age >= 3 * FPS / 2) return@mapNotNull null
    val x = 60f + walker % 5 * 120
    val y = 120f + 240f * age / FPS
    Detection(x, y, x + 40, y + 60, 0.9f, 0)
}
