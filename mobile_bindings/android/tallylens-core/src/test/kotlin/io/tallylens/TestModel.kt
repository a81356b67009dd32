package io.tallylens

import io.tallylens.internal.directBuffer
import java.io.File
import java.nio.ByteBuffer

/** The built-in model, and frames for it. */
internal object TestModel {
    private val repository = File(System.getProperty("tallylens.repository") ?: "../../..")
    val file = File(repository, "sdk/built_in/tallylens-demo-int8.tflite")
    val liteRt: String? = System.getProperty("tallylens.litert")

    fun load(): Model = Model.load(file)

    fun options(mode: RunningMode): CounterOptions.Builder =
        CounterOptions.Builder().runningMode(mode).liteRtLibrary(liteRt)

    fun counter(mode: RunningMode): Counter = Counter.create(load(), options(mode).build())

    fun pixels(bytes: Int): ByteBuffer = directBuffer(bytes)

    fun gray(width: Int = 320, height: Int = 180): Frame = Frame.bgr(pixels(3 * width * height), width, height)

    /** The resident memory of this process in bytes. */
    fun residentBytes(): Long {
        val pages = File("/proc/self/statm").readText().split(" ")[1].toLong()
        return pages * 4096
    }
}
